import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { ExitCode, type Problem } from "../../core/problem.ts";
import { formatProblems } from "../../language/format-problem.ts";
import type { GivenFile } from "../../language/load.ts";
import { errnoOf, ioError } from "../../store/io-error.ts";
import { readBeside } from "../../system/read-beside.ts";
import { type Args, type Command, JSON_OPTION } from "../command.ts";
import { print, printDiagnostic, printJson } from "../output.ts";
import { paintProblem, problemJson } from "../render/error.ts";
import { count } from "../render/text.ts";

interface Checked {
  readonly file: string;
  /** The ids of the workflows that are in order. */
  readonly workflows: readonly string[];
  readonly problems: readonly Problem[];
}

export const command: Command = {
  usage: "validate FILE…",
  describe:
    "Checks workflow files and prints all of their problems, with positions. Exit code 2 if there are any.",
  positionals: { FILE: "workflow files; - for standard input" },
  options: { json: JSON_OPTION },
  examples: [
    ["wf validate release.yaml", "one file"],
    ["wf validate ci/*.yaml --json", "several, for a program"],
  ],
  async run(args: Args): Promise<number> {
    const { validateFile } = await import("../validate-file.ts");
    const checked = args.list("FILE").map((file) => check(file, validateFile));
    if (args.flag("json")) printJson(toJson(checked));
    else for (const each of checked) tell(each);
    return checked.every(({ problems }) => problems.length === 0) ? ExitCode.ok : ExitCode.usage;
  },
};

function check(file: string, validateFile: (file: GivenFile) => Omit<Checked, "file">): Checked {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    const missing = errnoOf(error) === "ENOENT";
    const message = missing ? `there is no file ${file}` : ioError(error, `read ${file}`).message;
    return {
      file,
      workflows: [],
      problems: [{ code: missing ? "FILE_NOT_FOUND" : "FILE_UNREADABLE", message }],
    };
  }
  const folder = file === "-" ? "." : dirname(file);
  return { file, ...validateFile({ path: file, bytes, readFile: readBeside(folder) }) };
}

function tell({ file, workflows, problems }: Checked): void {
  if (problems.length === 0) print(`${file}: ${workflows.join(", ")}: no problems`);
  else {
    printDiagnostic(formatProblems(problems, paintProblem));
    printDiagnostic(`${file}: ${count(problems.length, "problem")}`);
  }
}

/** Described by `schemas/cli/validate.schema.json`. */
function toJson(checked: readonly Checked[]): object {
  return {
    valid: checked.every(({ problems }) => problems.length === 0),
    files: checked.map(({ file, workflows, problems }) => ({
      file,
      valid: problems.length === 0,
      workflows,
      problems: problems.map(problemJson),
    })),
  };
}
