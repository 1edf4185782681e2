import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { syncDir } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";

/**
 * Makes the folder that holds runs. The default one, `.wf/runs`, is kept out of git by a file in it; one that was
 * chosen by a person is not. Raises IO_ERROR.
 */
export function prepareRunsDir(runsDir: string, options: { readonly sync: boolean }): void {
  const path = resolve(runsDir);
  if (fs.existsSync(path)) return;
  try {
    const made = fs.mkdirSync(path, { recursive: true });
    const isDefault = basename(path) === "runs" && basename(dirname(path)) === ".wf";
    if (isDefault) keepOutOfGit(join(path, ".gitignore"));
    if (!options.sync || made === undefined) return;
    for (let folder = path; ; folder = dirname(folder)) {
      syncDir(folder);
      if (folder === dirname(made) || folder === dirname(folder)) return;
    }
  } catch (error) {
    throw ioError(error, `make the folder ${path}`);
  }
}

/** Not by way of a temporary file, which a crash would leave beside the runs. */
function keepOutOfGit(path: string): void {
  try {
    fs.writeFileSync(path, "*\n", { flag: "wx" });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}
