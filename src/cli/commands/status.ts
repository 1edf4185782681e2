import { nameWithin } from "../../core/ids.ts";
import { ExitCode } from "../../core/problem.ts";
import { rootCause } from "../../review/root-cause.ts";
import { EVERYTHING, type RunTree, treeOf } from "../../review/tree.ts";
import { type CurrentView, linesOf, viewRun } from "../../review/view.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { decisionsOf, type MadeDecision } from "../decisions.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { nestedNamed } from "../nested-named.ts";
import { print, printJson } from "../output.ts";
import { legacyStatusJson, legacyText } from "../render/legacy.ts";
import { statusJson, statusText } from "../render/status.ts";
import { SHOWN } from "../render/steps.ts";
import { type RunName, runName } from "../run-name.ts";

export const command: Command = {
  usage: "status RUN [STEP]",
  describe: "Shows how a run stands: step by step, who drives it, what failed, and how to go on.",
  positionals: { RUN: RUN_POSITIONAL, STEP: "a step that runs a workflow: only that nested run" },
  options: {
    inputs: { kind: "flag", describe: "show the values of the inputs, not only their names and types" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf status latest", "the newest run"],
    ["wf status k3f9 --inputs", "the run with k3f9 in its id, with the values of its inputs"],
    ["wf status latest deploy/item-3", "the nested run of one item of deploy"],
    ["wf status latest --json", "the newest run for a program"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const found = await viewRun(path);
    const withInputs = args.flag("inputs");
    const json = args.flag("json");
    if (found.kind === "legacy") {
      if (json) printJson(legacyStatusJson(found, withInputs));
      else print(legacyText(found, withInputs));
      return ExitCode.ok;
    }
    const step = args.text("STEP");
    const view = step === undefined ? found : await nestedNamed(found, step, nameOf(path, runsDir));
    const name = runName(view.runDir, runsDir);
    const tree = await treeOf(view, json ? EVERYTHING : SHOWN, name.within);
    const details = {
      ...{ name, withInputs, tree },
      root: await rootCause(view, name.within),
      gates: await gatesIn(view, name),
      decisions: decisionsIn(tree, name.within),
    };
    if (json) printJson(statusJson(view, details));
    else print(statusText(view, details));
    return ExitCode.ok;
  },
};

async function gatesIn(view: CurrentView, name: RunName): Promise<OpenGate[]> {
  const isOpen = Object.values(view.record.steps).some(
    ({ status }) => status === "waiting" || status === "running",
  );
  if (!isOpen) return [];
  const { openGates } = await import("../gates.ts");
  return openGates(view, name);
}

/** Of the run and of the nested ones that are shown, the newest last. Only their journals know; reading one costs more than all the rest. */
function decisionsIn({ view, workflow, steps }: RunTree, within: string): MadeDecision[] {
  const gates = new Set(workflow?.steps.flatMap(({ id, gate }) => (gate ? [id] : [])));
  const hasDecided = Object.entries(view.record.steps).some(
    ([id, { attempts, decision }]) => decision !== undefined || (attempts > 1 && gates.has(id)),
  );
  const own = hasDecided ? decisionsOf(linesOf(view), within) : [];
  const parts = steps.flatMap((step) => [step, ...step.items]);
  const inner = parts.flatMap(({ nested, step, item }) =>
    nested.is === "shown" ? decisionsIn(nested.tree, nameWithin(within, { step, item })) : [],
  );
  return inner.length === 0 ? own : [...own, ...inner].sort((a, b) => (a.at < b.at ? -1 : 1));
}
