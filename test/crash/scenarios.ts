/* The workflows that the crash tests break, and what is known of them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Decision, decideByHand, openGatesOf, readGate } from "../rig/gates.ts";
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
  /** What a person decides on each attempt of a gate. */
  readonly decisions?: Readonly<Record<string, readonly Decided[]>>;
  /** By `wf approve` and `wf reject`, else by files put in place by hand. */
  readonly decidedBy?: "wf";
  /** A run that has failed is resumed, until it succeeds. */
  readonly resumeFailed?: boolean;
}

export interface Decided {
  readonly decision: Decision;
  readonly comment: string;
}

const APPROVE: Decided = { decision: "approve", comment: "" };

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

/** The same for an item of a `foreach`. */
const ITEM_EFFECT = EFFECT.replaceAll("$WF_STEP_ID", "$NAME").replace(
  /^/,
  'NAME="$WF_STEP_ID-item-{{item_index}}"\n      ',
);

const FAN: Scenario = {
  name: "fan",
  expected: { list: 1, "fan/item-0": 1, "fan/item-1": 2, "fan/item-2": 1, join: 1 },
  exitCode: 0,
  workflow: `id: fan
inputs:
  effects: { type: string }
limits: { max_parallel: 2 }
steps:
  - id: list
    run: |
      ${EFFECT}
      echo 'numbers=[7, 8, 9]' >> "$WF_OUTPUT"
    outputs: { numbers: { type: array } }
  - id: fan
    foreach: '{{steps.list.outputs.numbers}}'
    retry: { max: 2, delay: 10ms }
    run: |
      ${ITEM_EFFECT.replace('echo "$NAME" >>', 'echo "$WF_STEP_ID/item-{{item_index}}" >>')}
      # The second fails until an earlier attempt of it has.
      test "{{item}}" != 8 || grep -qx 1 "$WF_RUN_DIR"/steps/fan/item-1/attempt-*/exit
      echo "card {{item}}" > "$WF_OUTPUT_CARD"
      echo "n={{item}}" >> "$WF_OUTPUT"
    output_files: { card: card.txt }
    outputs: { n: { type: integer } }
  - id: join
    run: |
      ${EFFECT}
      echo "{{steps.fan.outputs.n}}"
outputs:
  all: '{{steps.fan.outputs.n}}'
`,
};

/** As deep in a file as a step of an inner workflow is. */
const INNER_EFFECT = EFFECT.replaceAll("\n", "\n      ");

const NEST: Scenario = {
  name: "nest",
  expected: { before: 1, left: 1, right: 2, meet: 1, after: 1 },
  exitCode: 0,
  resumeFailed: true,
  workflow: `id: nest
inputs:
  effects: { type: string }
steps:
  - id: before
    run: |
      ${EFFECT}
      echo "word=so" >> "$WF_OUTPUT"
  - id: inner
    with: { effects: '{{inputs.effects}}', word: '{{steps.before.outputs.word}}' }
    workflow:
      inputs: { effects: { type: string }, word: { type: string } }
      limits: { max_parallel: 2 }
      steps:
        - id: left
          needs: []
          output_files: { page: page.txt }
          run: |
            ${INNER_EFFECT}
            echo "{{inputs.word}}" > "$WF_OUTPUT_PAGE"
        - id: right
          needs: []
          run: |
            ${INNER_EFFECT}
            # Fails until an earlier attempt has, which a resume copies.
            grep -qx 1 "$WF_RUN_DIR"/steps/right/attempt-*/exit
        - id: meet
          needs: [left, right]
          run: |
            ${INNER_EFFECT}
            cat "{{steps.left.outputs.page}}"
            echo "n=3" >> "$WF_OUTPUT"
          outputs: { n: { type: integer } }
      outputs: { page: '{{steps.left.outputs.page}}', n: '{{steps.meet.outputs.n}}' }
  - id: after
    run: |
      ${EFFECT}
      cat "{{steps.inner.outputs.page}}"
      echo "{{steps.inner.outputs.n}}"
outputs:
  page: '{{steps.inner.outputs.page}}'
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

const ASK: Scenario = {
  name: "ask",
  expected: { build: 2, publish: 1, clean: 1 },
  exitCode: 0,
  decisions: { sign_off: [{ decision: "reject", comment: "too short" }, APPROVE] },
  workflow: `id: ask
inputs:
  effects: { type: string }
steps:
  - id: build
    output_files: { bundle: bundle.txt }
    run: |
      ${EFFECT}
      echo bundle > "$WF_OUTPUT_BUNDLE"
  - id: sign_off
    message: 'Publish {{steps.build.outputs.bundle}}?'
    on_reject: build
  - id: publish
    run: |
      ${EFFECT}
      cat "{{steps.build.outputs.bundle}}"
      echo "{{steps.sign_off.outputs.decision}}"
finally:
  - id: clean
    run: |
      ${EFFECT}
      echo "{{workflow.status}}"
`,
};

const REVIEW: Scenario = {
  name: "review",
  expected: { draft: 2, review: 2, send: 1 },
  exitCode: 0,
  workflow: `id: review
inputs:
  effects: { type: string }
steps:
  - id: draft
    run: |
      ${EFFECT}
  - id: review
    on_reject: draft
    run: |
      ${EFFECT}
      # Content with it once it has rejected one.
      if grep -qs '"decision": "reject"' "$WF_RUN_DIR"/steps/review/attempt-*/attempt.json; then
        echo "decision=approve" >> "$WF_OUTPUT"
      else
        printf 'decision=reject\\nfeedback=too short\\n' >> "$WF_OUTPUT"
      fi
  - id: send
    run: |
      ${EFFECT}
      echo "{{steps.review.outputs.decision}}"
`,
};

const BESIDE: Scenario = {
  name: "beside",
  expected: { fetch: 1, lint: 1, publish: 1, announce: 1 },
  exitCode: 0,
  decisions: { legal: [APPROVE], sign_off: [{ decision: "approve", comment: "well done" }] },
  decidedBy: "wf",
  workflow: `id: beside
inputs:
  effects: { type: string }
limits: { max_parallel: 2 }
steps:
  - id: fetch
    needs: []
    run: |
      ${EFFECT}
      echo "commit=abc" >> "$WF_OUTPUT"
  - id: legal
    needs: []
    message: 'Is the licence good?'
  - id: lint
    needs: []
    run: |
      ${EFFECT}
      sleep 0.05
  - id: sign_off
    needs: [fetch]
    message: 'Publish {{steps.fetch.outputs.commit}}?'
    on_reject: fail
  - id: publish
    needs: [sign_off, legal, lint]
    run: |
      ${EFFECT}
      echo "{{steps.sign_off.outputs.feedback}}"
  - id: announce
    needs: [publish]
    run: |
      ${EFFECT}
`,
};

const TIDY: Scenario = {
  name: "tidy",
  expected: { work: 1, never: 0, clean: 1, report: 1, party: 0 },
  exitCode: 1,
  workflow: `id: tidy
inputs:
  effects: { type: string }
steps:
  - id: work
    run: |
      ${EFFECT}
      exit 3
  - id: never
    run: |
      ${EFFECT}
finally:
  - id: clean
    run: |
      ${EFFECT}
  - id: party
    when: workflow.status == "succeeded"
    run: |
      ${EFFECT}
  - id: report
    run: |
      ${EFFECT}
      echo "{{workflow.status}}: {{workflow.reason}}"
`,
};

const TWICE: Scenario = {
  name: "twice",
  expected: { work: 2, clean: 2 },
  exitCode: 0,
  resumeFailed: true,
  workflow: `id: twice
inputs:
  effects: { type: string }
steps:
  - id: work
    run: |
      ${EFFECT}
      # Fails until the run has come to an end.
      grep -qs '"status": "succeeded"' "$WF_RUN_DIR"/steps/clean/attempt-*/attempt.json
finally:
  - id: clean
    run: |
      ${EFFECT}
      echo "{{workflow.status}}"
`,
};

const LATE: Scenario = {
  name: "late",
  expected: { slow: 2, after: 1 },
  exitCode: 0,
  workflow: `id: late
inputs:
  effects: { type: string }
steps:
  - id: slow
    timeout: 1s
    retry: { max: 1 }
    run: |
      ${EFFECT}
      # Takes too long until it once has.
      grep -qsx 143 "$WF_RUN_DIR"/steps/slow/attempt-*/exit || sleep 1000
  - id: after
    run: |
      ${EFFECT}
`,
};

/** Those with gates, with steps for the end, and with a step that is stopped. */
export const GATE_SCENARIOS: readonly Scenario[] = [ASK, REVIEW, BESIDE, TIDY, TWICE, LATE];

/** Those with a `foreach`, and with a run in a run. */
export const WIDE_SCENARIOS: readonly Scenario[] = [FAN, NEST];

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
  const canceled = cancelWhenHeld(project, scenario.cancelAt, engine.pid, () => over);
  const [result] = await Promise.all([ended, canceled]);
  return result;
}

/** Asks for the cancel once, when the step has said that it runs, of the engine that drives: else the canceler would. */
async function cancelWhenHeld(
  project: Project,
  step: string,
  engine: number,
  isOver: () => boolean,
): Promise<void> {
  const drives = () =>
    project
      .runDirs()
      .some((dir) =>
        readJournal(dir).some((line) => line.event === "engine_started" && line.volatile?.pid === engine),
      );
  while (!project.lines(EFFECTS).includes(step) || !drives()) {
    if (isOver()) return;
    await new Promise((go) => setTimeout(go, 3));
  }
  const [runDir] = project.runDirs();
  if (!runDir || existsSync(join(runDir, "control/cancel-1.json"))) return;
  await project.wf(["cancel", runDir]);
}

/** Decides every gate that is open and that nobody has decided, as far as the run says how. */
export async function decideOpenGates(
  project: Project,
  scenario: Scenario,
  options: WfOptions = {},
): Promise<Result | null> {
  const [runDir] = project.runDirs();
  if (!runDir || !scenario.decisions) return null;
  let result: Result | null = null;
  for (const { step, attempt } of openGatesOf(runDir, Object.keys(scenario.decisions))) {
    const decided = scenario.decisions[step]?.[attempt - 1];
    const isDecided = existsSync(join(runDir, `control/decide-${step}-${attempt}-1.json`));
    if (!decided || isDecided || readGate(runDir, step, attempt) === null) continue;
    const { decision, comment } = decided;
    if (scenario.decidedBy !== "wf") decideByHand(runDir, step, attempt, decision, comment);
    else {
      const said = comment === "" ? [] : ["--comment", comment];
      result = await project.wf([decision, runDir, step, ...said], options);
    }
  }
  return result;
}

/** Whether the run is at an end that a resume would only undo. */
export function isEnded(runDir: string, { exitCode, cancelAt }: Scenario): boolean {
  const last = readJournal(runDir).at(-1);
  if (last?.event !== "run_ended") return false;
  return last.status === "canceled" || (exitCode !== 0 && cancelAt === undefined && last.status === "failed");
}
