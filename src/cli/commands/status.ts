import { ExitCode } from "../../core/problem.ts";
import type { Workflow } from "../../core/workflow.ts";
import { type CurrentView, definitionOf, linesOf, viewRun } from "../../review/view.ts";
import { readDefinition } from "../../store/open-run.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { decisionsOf } from "../decisions.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { print, printJson } from "../output.ts";
import { legacyStatusJson, legacyText } from "../render/legacy.ts";
import { type StatusOptions, statusJson, statusText } from "../render/status.ts";
import { needsDefinition } from "../render/steps.ts";

export const command: Command = {
  usage: "status RUN",
  describe: "Shows how a run stands: step by step, who drives it, what failed, and how to go on.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    inputs: { kind: "flag", describe: "show the values of the inputs, not only their names and types" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf status latest", "the newest run"],
    ["wf status k3f9 --inputs", "the run with k3f9 in its id, with the values of its inputs"],
    ["wf status latest --json", "the same for a program"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const view = await viewRun(path);
    const withInputs = args.flag("inputs");
    if (view.kind === "legacy") {
      if (args.flag("json")) printJson(legacyStatusJson(view, withInputs));
      else print(legacyText(view, withInputs));
      return ExitCode.ok;
    }
    const options = {
      name: nameOf(view.runDir, runsDir),
      withInputs,
      gates: await gatesIn(view),
      ...(await moreThanTheRecord(view)),
    };
    if (args.flag("json")) printJson(statusJson(view, options));
    else print(statusText(view, options));
    return ExitCode.ok;
  },
};

async function gatesIn({ runDir, record }: CurrentView): Promise<OpenGate[]> {
  if (!Object.values(record.steps).some(({ status }) => status === "waiting")) return [];
  const { openGates } = await import("../gates.ts");
  return openGates(runDir, record);
}

/** What only the definition and the journal know; reading them costs more than all the rest. */
async function moreThanTheRecord(view: CurrentView): Promise<Pick<StatusOptions, "facts" | "decisions">> {
  const steps = Object.entries(view.record.steps);
  const workflow = await workflowOf(view);
  const gates = new Set(workflow?.steps.flatMap(({ id, gate }) => (gate ? [id] : [])));
  const hasDecided = steps.some(
    ([id, { attempts, decision }]) => decision !== undefined || (attempts > 1 && gates.has(id)),
  );
  return {
    facts: {
      allowed: new Map(workflow?.steps.map((step) => [step.id, 1 + step.retry.max])),
      atEnd: new Set(workflow?.steps.slice(workflow.mainSteps).map(({ id }) => id)),
    },
    decisions: hasDecided ? decisionsOf(linesOf(view)) : [],
  };
}

/** Null where it says nothing that is shown: no step was tried twice, and none stands under `finally`. */
async function workflowOf({ runDir, record, folded }: CurrentView): Promise<Workflow | null> {
  try {
    if (folded) return folded.state.workflow;
    const isNeeded = needsDefinition(record) || Buffer.from(readDefinition(runDir)).includes("finally");
    return isNeeded ? await definitionOf(runDir, record.workflow) : null;
  } catch {
    // A run whose copy of the definition is gone can still be read.
    return null;
  }
}
