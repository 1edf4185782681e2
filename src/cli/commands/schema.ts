import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ExitCode, WfError } from "../../core/problem.ts";
import { suggest } from "../../language/did-you-mean.ts";
import { packageRoot } from "../../system/package-root.ts";
import { type Args, type Command, JSON_OPTION } from "../command.ts";
import { print, printJson, write } from "../output.ts";

const ENDING = ".schema.json";

export const command: Command = {
  usage: "schema [NAME]",
  describe:
    "Prints a JSON Schema of this version: of a file that wf reads or writes, or of what a command prints.",
  positionals: { NAME: "the schema; without it the names are listed" },
  options: { json: { ...JSON_OPTION, describe: "print the list of names as JSON; a schema always is" } },
  examples: [
    ["wf schema", "the names"],
    ["wf schema workflow > workflow.schema.json", "what editors need to complete workflow files"],
    ["wf schema cli/status", "what wf status --json prints"],
  ],
  run(args: Args): number {
    const folder = join(packageRoot(), "schemas");
    const names = schemaNames(folder);
    const name = args.text("NAME");
    if (name === undefined) {
      if (args.flag("json")) printJson({ schemas: names });
      else for (const each of names) print(each);
      return ExitCode.ok;
    }
    if (!names.includes(name)) {
      throw new WfError({
        code: "USAGE",
        message: `there is no schema "${name}"`,
        hint: suggest(name, names, "schemas"),
      });
    }
    write(readFileSync(join(folder, `${name}${ENDING}`)));
    return ExitCode.ok;
  },
};

function schemaNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
}
