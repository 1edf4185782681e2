import { lstatSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Prepared } from "../steps/prepare.ts";

/** A folder of this number that the journal does not know can not have run: its place is taken. */
export function makeAttempt(
  dir: string,
  command: Pick<Prepared, "files" | "folders">,
  work: string | null,
): void {
  const parent = dirname(dir);
  // Looked at first: an error that is thrown and caught costs more.
  if (!statSync(parent, { throwIfNoEntry: false })) mkdirSync(parent, { recursive: true });
  else if (lstatSync(dir, { throwIfNoEntry: false })) rmSync(dir, { recursive: true });
  mkdirSync(dir);
  for (const folder of command.folders) mkdirSync(folder, { recursive: true });
  if (work !== null) mkdirSync(work, { recursive: true });
  for (const [path, text] of command.files) {
    if (path.includes("/")) mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}
