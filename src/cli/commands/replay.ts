import { ExitCode } from "../../core/problem.ts";
import { replay } from "../../review/replay.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { displayPath, findRecord, findRunsDir } from "../find-run.ts";
import { print, printJson } from "../output.ts";
import { replayJson, replayText } from "../render/replay.ts";

export const command: Command = {
  usage: "replay RUN",
  describe:
    "Drives a workflow with every attempt answered from a record, and runs nothing. Exit code 1 if it goes another way, renders another script or prompt, decides otherwise, or needs an attempt that the record does not have.",
  positionals: { RUN: `a fixture's folder, or ${RUN_POSITIONAL}` },
  options: {
    workflow: {
      kind: "value",
      value: "FILE",
      describe: "the present workflow file (else the copy in the record)",
    },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf replay fixtures/runs/release", "does this version of wf still do what the record says?"],
    ["wf replay fixtures/runs/release --workflow ci/release.yaml", "does the changed workflow?"],
    ["wf replay latest --workflow ci/release.yaml", "what an edit would have changed in the newest run"],
  ],
  async run(args: Args): Promise<number> {
    const { path } = findRecord(args.required("RUN"), findRunsDir(args.text("runs-dir")));
    const workflow = args.text("workflow");
    const name = displayPath(path);
    const replayed = await replay({ path, name, ...(workflow !== undefined && { workflow }) });
    if (args.flag("json")) printJson(replayJson(replayed, name));
    else print(replayText(replayed, name));
    return replayed.differences.length === 0 ? ExitCode.ok : ExitCode.failed;
  },
};
