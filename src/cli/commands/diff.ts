import { ExitCode } from "../../core/problem.ts";
import { diffForms } from "../../review/diff.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { diffSides } from "../diff-sides.ts";
import { findRunsDir } from "../find-run.ts";
import { isStdoutClosed, printJson, writeAndWait } from "../output.ts";
import { diffJson, diffText } from "../render/diff.ts";

const SIDE =
  "a run (its path, its id, a unique part of its id, or `latest`), a fixture, a folder or file that wf canon wrote, or REV:PATH, any of these in a revision of git";

export const command: Command = {
  usage: "diff A [B] [PATH]",
  describe:
    "Compares what two runs mean: definition, inputs, path, decisions, scripts and prompts, outputs, logs, status. Times, ids, folders and the like are left out. Exit code 1 if they differ.",
  positionals: {
    A: `${SIDE}; or a revision that the path B is compared with`,
    B: "the same; without it the path A is compared with how it was committed",
    PATH: "what is compared if A and B are revisions",
  },
  options: {
    stat: { kind: "flag", describe: "only what differs and by how many lines" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf diff 8kqm latest", "what the newest run has differently"],
    ["wf diff expected latest --stat", "against a folder made with wf canon --out, in short"],
    ["wf diff fixtures/runs/hello", "what is not committed yet"],
    ["wf diff main fixtures/runs/hello", "against another revision"],
    ["wf diff main HEAD fixtures/runs/hello", "between two revisions; or: wf diff main:PATH HEAD:PATH"],
    ["wf diff a b >/dev/null && echo same", "for a script"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const given = { a: args.required("A"), b: optional(args, "B"), path: optional(args, "PATH") };
    const [before, after] = await diffSides(given, runsDir);
    const diff = diffForms(await before.form(), await after.form());
    const names = { before: before.name, after: after.name };
    const stat = args.flag("stat");
    if (args.flag("json")) printJson(diffJson(diff, names, stat));
    else {
      for (const text of diffText(diff, names, stat)) {
        if (isStdoutClosed()) break;
        await writeAndWait(`${text}\n`);
      }
    }
    return diff.changes.length === 0 ? ExitCode.ok : ExitCode.failed;
  },
};

function optional(args: Args, name: string): string | undefined {
  return args.text(name) === undefined ? undefined : args.required(name);
}
