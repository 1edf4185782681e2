import { realpathSync } from "node:fs";
import { join } from "node:path";
import { ExitCode, WfError } from "../../core/problem.ts";
import { checkSetup, setUp, undoSetup } from "../../review/git-setup.ts";
import { packageRoot } from "../../system/package-root.ts";
import { type Args, type Command, JSON_OPTION } from "../command.ts";
import { print, printJson } from "../output.ts";
import { setupJson, setupText } from "../render/git-setup.ts";

export const command: Command = {
  usage: "git-setup",
  describe:
    "Makes `git diff` show committed runs without noise: lines in .gitattributes, which are to be committed, and a textconv in the configuration of this clone.",
  positionals: {},
  options: {
    check: { kind: "flag", describe: "write nothing; exit code 1 if it is not set up" },
    undo: { kind: "flag", describe: "remove what it wrote, and nothing else" },
    json: JSON_OPTION,
  },
  examples: [
    ["wf git-setup", "once in each clone"],
    ["wf git-setup --check", "in CI, or to see what is missing"],
    ["git diff --no-textconv", "the bytes as they are, in spite of it"],
  ],
  run(args: Args): number {
    const folder = process.cwd();
    const [check, undo] = [args.flag("check"), args.flag("undo")];
    if (check && undo) {
      throw new WfError({ code: "USAGE", message: "--check and --undo can not be given together" });
    }
    if (undo) return answer(args, { did: "undo", ...undoSetup(folder) });
    if (!check) return answer(args, { did: "set up", ...setUp(folder, ownCommand()) });
    const state = checkSetup(folder, ownCommand());
    answer(args, { did: "check", ...state });
    return state.missing.length === 0 ? ExitCode.ok : ExitCode.failed;
  },
};

function answer(args: Args, result: Parameters<typeof setupText>[0]): number {
  if (args.flag("json")) printJson(setupJson(result));
  else print(setupText(result));
  return ExitCode.ok;
}

/** This very program: git starts it from any folder, and with another PATH. */
function ownCommand(): string[] {
  return [process.execPath, realpathSync(join(packageRoot(), "bin", "wf.js")), "canon"];
}
