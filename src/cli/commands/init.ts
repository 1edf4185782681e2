import { writeFileSync } from "node:fs";
import { ExitCode, WfError } from "../../core/problem.ts";
import { errnoOf, ioError } from "../../store/io-error.ts";
import { type Args, type Command, JSON_OPTION } from "../command.ts";
import { print, printJson } from "../output.ts";
import { shellWord } from "../render/text.ts";
import { TEMPLATES } from "../templates.ts";

export const command: Command = {
  usage: "init [FILE]",
  describe: "Writes a workflow with comments to start from. It never overwrites a file.",
  positionals: { FILE: "where to write it (workflow.yaml)" },
  options: {
    template: {
      kind: "value",
      value: "T",
      choices: Object.keys(TEMPLATES),
      describe: "what to start from (sequence)",
    },
    json: JSON_OPTION,
  },
  examples: [
    ["wf init", "writes workflow.yaml"],
    ["wf init checks.yaml --template graph", "steps that run at once"],
  ],
  run(args: Args): number {
    const file = args.text("FILE") ?? "workflow.yaml";
    const template = args.text("template") ?? "sequence";
    writeNewFile(file, TEMPLATES[template] as string);
    // Described by `schemas/cli/init.schema.json`.
    if (args.flag("json")) printJson({ file, template });
    else
      print(
        `${file} is written\n  check it:  wf validate ${shellWord(file)}\n  run it:    wf run ${shellWord(file)}`,
      );
    return ExitCode.ok;
  },
};

function writeNewFile(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx" });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw ioError(error, `write ${file}`);
    throw new WfError({
      code: "USAGE",
      message: `${file} exists, and is left as it is`,
      hint: "name another file: wf init FILE",
    });
  }
}
