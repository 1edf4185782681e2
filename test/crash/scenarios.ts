/* The workflows that the crash tests break, and what is known of them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readJournal } from "../rig/journal.ts";
import { Project, type Result, type WfOptions } from "../rig/project.ts";

export interface Scenario {
  readonly name: string;
  readonly workflow: string;
  /** How often each step's command runs. */
  readonly expected: Readonly<Record<string, number>>;
  readonly exitCode: number;
  /** Canceled from outside as soon as this step has begun; it would go on for ever. */
  readonly cancelAt?: string;
}

/** Says that the command runs, and whether another execution of the same step is still at work. */
const EFFECT = `exec 9>>"{{inputs.effects}}.$WF_STEP_ID"
      flock -n 9 || echo "overlap $WF_STEP_ID" >> "{{inputs.effects}}"
      echo "$WF_STEP_ID" >> "{{inputs.effects}}"`;

const SEQUENCE: Scenario = {
  name: "sequence",
  expected: { prepare: 1, flaky: 2, publish: 1 },
  exitCode: 0,
  workflow: `id: sequence
inputs:
  effects: { type: string }
steps:
  - id: prepare
    run: |
      ${EFFECT}
      printf 'prepared\\n' > "$WF_OUTPUT_PLAN"
    output_files: { plan: plan.txt }
  - id: flaky
    retry: { max: 2, delay: 10ms }
    run: |
      ${EFFECT}
      # Fails until an earlier attempt has failed; one that a crash cut short does not count.
      grep -qx 1 "$WF_RUN_DIR"/steps/flaky/attempt-*/exit
      echo "answer=42" >> "$WF_OUTPUT"
  - id: publish
    run: |
      ${EFFECT}
      sleep 0.05
      cat "{{steps.prepare.outputs.plan}}"
      echo "the answer is {{steps.flaky.outputs.answer}}"
outputs:
  answer: '{{steps.flaky.outputs.answer}}'
`,
};

const GRAPH: Scenario = {
  name: "graph",
  expected: { fetch: 1, lint: 1, pack: 1, join: 1, docs: 0 },
  exitCode: 0,
  workflow: `id: graph
inputs:
  effects: { type: string }
  docs: { type: boolean, default: false }
limits: { max_parallel: 2 }
steps:
  - id: fetch
    needs: []
    run: |
      ${EFFECT}
      echo "commit=abc" >> "$WF_OUTPUT"
  - id: lint
    needs: []
    allow_failure: true
    run: |
      ${EFFECT}
      sleep 0.03
      echo "one warning" >&2
      exit 3
  - id: docs
    needs: [fetch]
    when: inputs.docs
    run: |
      ${EFFECT}
  - id: pack
    needs: [fetch]
    output_files: { archive: out/archive.txt }
    run: |
      ${EFFECT}
      echo "{{steps.fetch.outputs.commit}}" > "$WF_OUTPUT_ARCHIVE"
  - id: join
    needs: [pack, lint, docs]
    run: |
      ${EFFECT}
      cat "{{steps.pack.outputs.archive}}"
`,
};

const CANCEL: Scenario = {
  name: "cancel",
  expected: { first: 1, hold: 1, never: 0 },
  exitCode: 1,
  cancelAt: "hold",
  workflow: `id: canceled
inputs:
  effects: { type: string }
steps:
  - id: first
    run: |
      ${EFFECT}
  - id: hold
    run: |
      ${EFFECT}
      sleep 1000
  - id: never
    run: |
      ${EFFECT}
`,
};

export const SCENARIOS: readonly Scenario[] = [SEQUENCE, GRAPH, CANCEL];

/** A project with the scenario's workflow in it. */
export function stage(scenario: Scenario): Project {
  const project = new Project();
  project.write(`${scenario.name}.yaml`, scenario.workflow);
  return project;
}

export const EFFECTS = "effects";

/** Starts the run, or resumes it if there is one, and goes along until that command ends. */
export async function drive(project: Project, scenario: Scenario, options: WfOptions = {}): Promise<Result> {
  const [runDir] = project.runDirs();
  const effects = `effects=${project.path(EFFECTS)}`;
  const args = runDir ? ["resume", runDir] : ["run", `${scenario.name}.yaml`, "--input", effects];
  const engine = project.start(args, options);
  if (scenario.cancelAt === undefined) return engine.ended;
  let over = false;
  const ended = engine.ended.finally(() => {
    over = true;
  });
  const canceled = cancelWhenHeld(project, scenario.cancelAt, () => over);
  const [result] = await Promise.all([ended, canceled]);
  return result;
}

/** Asks for the cancel once, when the step has said that it runs. */
async function cancelWhenHeld(project: Project, step: string, isOver: () => boolean): Promise<void> {
  while (!project.lines(EFFECTS).includes(step)) {
    if (isOver()) return;
    await new Promise((go) => setTimeout(go, 3));
  }
  const [runDir] = project.runDirs();
  if (!runDir || existsSync(join(runDir, "control/cancel-1.json"))) return;
  await project.wf(["cancel", runDir]);
}

/** Whether the run is at an end that a resume would only undo. */
export function isCanceled(runDir: string): boolean {
  const last = readJournal(runDir).at(-1);
  return last?.event === "run_ended" && last.status === "canceled";
}
