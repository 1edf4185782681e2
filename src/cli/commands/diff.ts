import { ExitCode } from "../../core/problem.ts";
import { canonicalForm } from "../../review/canon.ts";
import { diffForms } from "../../review/diff.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir } from "../find-run.ts";
import { isStdoutClosed, printJson, writeAndWait } from "../output.ts";
import { diffJson, diffText } from "../render/diff.ts";

const SIDE =
  "a run (its path, its id, a unique part of its id, or `latest`), or a folder or file that wf canon wrote";

export const command: Command = {
  usage: "diff A B",
  describe:
    "Compares what two runs mean: definition, inputs, path, decisions, scripts and prompts, outputs, logs, status. Times, ids, folders and the like are left out. Exit code 1 if they differ.",
  positionals: { A: SIDE, B: SIDE },
  options: {
    stat: { kind: "flag", describe: "only what differs and by how many lines" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf diff 8kqm latest", "what the newest run has differently"],
    ["wf diff expected latest --stat", "against a folder made with wf canon --out, in short"],
    ["wf diff a b >/dev/null && echo same", "for a script"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const [a, b] = [args.required("A"), args.required("B")];
    const places = [findRun(a, runsDir), findRun(b, runsDir)] as const;
    const before = await canonicalForm(places[0].path);
    const after = await canonicalForm(places[1].path);
    const diff = diffForms(before, after);
    const names = { before: a, after: b };
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
