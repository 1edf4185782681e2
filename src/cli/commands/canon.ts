import { readFileSync, statSync } from "node:fs";
import { ExitCode } from "../../core/problem.ts";
import { canonicalForm } from "../../review/canon.ts";
import { formatForm, writeForm } from "../../review/canon-form.ts";
import { canonicalFile } from "../../review/canon-one.ts";
import { ioError } from "../../store/io-error.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { displayPath, findRecord, findRunsDir } from "../find-run.ts";
import { isStdoutClosed, print, printJson, writeAndWait } from "../output.ts";
import { canonJson, writtenText } from "../render/canon.ts";

export const command: Command = {
  usage: "canon RUN",
  describe:
    "Prints the canonical form of a run: what it means, without what differs from run to run. Two runs that mean the same have the same bytes, wherever and whenever they were made.",
  positionals: { RUN: `${RUN_POSITIONAL}; or one file of a run` },
  options: {
    out: { kind: "value", value: "DIR", describe: "write it to a folder that does not exist or is empty" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf canon latest", "all files as one text, each under a line === <path>"],
    ["wf canon latest --out expected", "the same as a folder, to be kept"],
    ["wf canon latest | sha256sum", "one number for what a run means"],
    ["wf canon runs/42/run.json", "one file alone, as git diff asks for it (wf git-setup)"],
  ],
  async run(args: Args): Promise<number> {
    const name = args.required("RUN");
    const out = args.text("out");
    const file = out === undefined && !args.flag("json") ? readPlainFile(name) : null;
    if (file !== null) {
      await writeAndWait(canonicalFile(file));
      return ExitCode.ok;
    }
    const form = await canonicalForm(findRecord(name, findRunsDir(args.text("runs-dir"))).path);
    if (out !== undefined) {
      writeForm(form, out);
      if (args.flag("json")) printJson(canonJson(form, out));
      else print(writtenText(form, displayPath(out)));
    } else if (args.flag("json")) printJson(canonJson(form, null));
    else {
      for (const text of formatForm(form)) {
        if (isStdoutClosed()) break;
        await writeAndWait(text);
      }
    }
    return ExitCode.ok;
  },
};

/** Null if it is no file. */
function readPlainFile(path: string): Uint8Array | null {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path) : null;
  } catch (error) {
    throw ioError(error, `read ${path}`);
  }
}
