import { IndexSet } from "./index-set.ts";
import type { DefinitionIn, RunState, StepNode, StepState, UsageTotal } from "./state.ts";
import type { Step, Workflow } from "./workflow.ts";

const NO_USAGE: UsageTotal = { tokens: 0, costUsd: 0, unknown: 0, unknownCost: 0 };

const NEVER_CHANGED: DefinitionIn = (file) => {
  throw new Error(`the definition ${file} is not at hand`);
};

export function initialState(workflow: Workflow, definitionIn = NEVER_CHANGED): RunState {
  const steps = workflow.steps.map((step) => newNode(step, step.index));
  const due = new IndexSet(steps.length);
  if (workflow.shape === "sequence") due.add(0);
  else
    for (const { step, unmet } of steps)
      if (unmet === 0 && step.index < workflow.mainSteps) due.add(step.index);
  return {
    workflow,
    steps,
    items: [],
    indexOf: new Map(workflow.steps.map((step) => [step.id, step.index])),
    dependents: dependentsOf(workflow.steps),
    gone: new Map(),
    definitionIn,
    runId: "",
    status: "queued",
    reason: null,
    source: { file: "", sha256: "", source: "" },
    inputs: {},
    limits: { max_total_iterations: workflow.limits.maxTotalIterations },
    options: { durability: "power" },
    outputs: {},
    iterations: 0,
    cursor: 0,
    cameFrom: null,
    due,
    running: new IndexSet(steps.length),
    waiting: new IndexSet(steps.length),
    retrying: new IndexSet(steps.length),
    failed: new IndexSet(steps.length),
    passed: 0,
    rootCause: null,
    ending: null,
    usage: NO_USAGE,
    cancel: null,
    takenDecision: null,
    requests: new Set(),
    seq: 0,
    epoch: 0,
    project: "",
    projectFromRun: null,
    engine: { host: "", machineId: "", pidNamespace: "" },
    git: null,
    forkedFrom: null,
    reuse: null,
    answers: null,
    createdAt: null,
    startedAt: null,
    updatedAt: null,
    endedAt: null,
    waitingUntil: null,
    drivenBefore: 0,
    epochBegan: null,
    personSince: null,
    lastEventAt: 0,
  };
}

/** For each step those that need it. */
function dependentsOf(steps: readonly Step[]): (readonly number[])[] {
  const dependents: (number[] | undefined)[] = steps.map(() => undefined);
  for (const { needs, index } of steps) {
    for (const need of needs) {
      const known = dependents[need];
      if (known) known.push(index);
      else dependents[need] = [index];
    }
  }
  return dependents.map((each) => each ?? NOBODY);
}

// What most steps have none of is one value for all of them: a run can have 100,000 steps.
const NOBODY: readonly number[] = [];
export const NO_OUTPUTS: StepNode["outputs"] = {};
const UNTOUCHED: StepState = { status: "pending", cause: "first" };

/** A step that nothing has become of yet. */
export function newNode(step: Step, index: number): StepNode {
  return {
    step,
    index,
    fan: null,
    state: UNTOUCHED,
    attempts: 0,
    counted: 0,
    failures: 0,
    outputs: NO_OUTPUTS,
    produced: NO_OUTPUTS,
    decision: null,
    sentBackBy: null,
    usage: NO_USAGE,
    reused: false,
    answered: false,
    afresh: false,
    unmet: step.needs.length,
  };
}
