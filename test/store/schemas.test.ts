import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { AttemptRecord, JournalLine, RunEvent } from "../../src/core/event.ts";
import type { RunRecord } from "../../src/core/record.ts";
import type { GateRecord } from "../../src/steps/approval.ts";
import { journalLine } from "../../src/store/journal.ts";
import { parseLine } from "../../src/store/journal-line.ts";
import { AT } from "./helpers.ts";

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: false });
for (const name of ["attempt", "run", "event", "gate"]) {
  ajv.addSchema(
    JSON.parse(fs.readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), "utf8")),
  );
}
const attemptIs = ajv.getSchema<AttemptRecord>("attempt.schema.json");
const runIs = ajv.getSchema<RunRecord>("run.schema.json");
const lineIs = ajv.getSchema<JournalLine>("event.schema.json");
const gateIs = ajv.getSchema<GateRecord>("gate.schema.json");
assert.ok(attemptIs && runIs && lineIs && gateIs);

const sha256 = "0".repeat(64);
const at = AT.toISOString();
const workflow = {
  id: "nightly",
  file: "workflow.yaml",
  sha256,
  source: "project:nightly.yaml",
  step: "deploy/inner",
};
const reason = { code: "SIGNAL", message: "stopped", step: "a", item: 0, attempt: 1, hint: "resume it" };

/** All keys a record can have. */
const attempt: Required<AttemptRecord> = {
  step: "a",
  item: 3,
  attempt: 2,
  cause: "retry",
  status: "failed",
  exitCode: 1,
  signal: "SIGTERM",
  error: { code: "EXIT_STATUS", message: "it failed", hint: "mend it", details: { bundle: "it is missing" } },
  outputs: {
    n: { value: [1, null] },
    bundle: { file: "steps/a/attempt-2/outputs/b", bytes: 3, sha256 },
    all: { list: [null, { value: 1 }, { file: "steps/b/item-2/attempt-1/outputs/b", bytes: 3, sha256 }] },
  },
  decision: "reject",
  next: { to: "b", because: "next step in the file" },
  answeredFrom: { fixture: "project:fixtures/runs/a", attempt: "steps/a/attempt-1", sha256 },
};

const gate: Required<GateRecord> = {
  step: "a",
  attempt: 2,
  message: "Publish?",
  shows: [{ file: "steps/b/attempt-1/outputs/plan.md", sha256 }],
  digest: sha256,
  volatile: { nonce: "0123456789abcdef" },
};

const run: RunRecord = {
  format: "wf.run/1",
  runId: "r-1",
  workflow,
  status: "waiting",
  reason,
  inputs: { token: { $secret: "token" } },
  options: { durability: "power", keep_going: true },
  pointer: [
    { step: "a", attempt: 2, state: "retrying" },
    { step: "c", item: 3, attempt: 1, state: "due" },
  ],
  nextExpectedAction: "resume it",
  steps: {
    a: { status: "failed", attempts: 2, error: { code: "EXIT_STATUS", message: "it failed" }, allowed: true },
    b: { status: "skipped", attempts: 0, because: "its condition is false", outputs: attempt.outputs },
    c: { status: "succeeded", attempts: 1, decision: "approve", outputs: attempt.outputs },
  },
  outputs: { n: 1 },
  iterations: 2,
  volatile: {
    createdAt: at,
    startedAt: at,
    updatedAt: at,
    endedAt: null,
    epoch: 1,
    seq: 2,
    journalBytes: 3,
    project: "/p",
    usage: { tokens: 12345, costUsd: 0.42, unknown: 1, unknownCost: 0 },
    waitingUntil: at,
    git: { commit: "c", dirty: true },
    forkedFrom: { run: "r-0", step: "a" },
    answers: { fixture: "/elsewhere/a", sha256 },
    answered: { a: 1 },
  },
};

const process = { pid: 2, startTime: "1", bootId: "b", cookie: "c" };

// Not Extract: one variant has two names.
type EventNamed<E, V = RunEvent> = V extends { event: infer N } ? (E extends N ? V : never) : never;

/** Each kind of event with all keys it can have; one that is missing here does not compile. */
const events: { [E in RunEvent["event"]]: Required<EventNamed<E>> } = {
  run_created: {
    event: "run_created",
    format: "wf.run/1",
    workflow,
    parent: { step: "a", item: 0, attempt: 1 },
    inputs: {},
    limits: { max_total_iterations: 1, run_timeout_ms: 1, max_parallel: 1, max_tokens: 1, max_cost_usd: 0.5 },
    options: run.options,
    volatile: {
      project: "/p",
      projectFromRun: "../../..",
      git: { commit: "c", dirty: false },
      forkedFrom: { run: "r-0", step: "a", attempt: 2, earlier: [{ run: "r", step: "b" }] },
      answers: { fixture: "project:fixtures/runs/a", sha256 },
    },
  },
  engine_started: {
    event: "engine_started",
    how: "resume",
    from: "a",
    limits: { max_parallel: 2, steps: { plan: { max_tokens: 2, max_cost_usd: 1.5 } } },
    version: "0.1.0",
    volatile: {
      ...{ pid: 2, host: "h", machineId: "m", pidNamespace: "", project: "/p" },
      answers: { fixture: "project:fixtures/runs/a", sha256 },
    },
  },
  attempt_started: {
    event: "attempt_started",
    step: "a",
    item: 0,
    attempt: 1,
    cause: "first",
    volatile: { process },
  },
  attempt_adopted: { event: "attempt_adopted", step: "a", item: 0, attempt: 1 },
  foreach_started: { event: "foreach_started", step: "a", cause: "first", items: [1, { b: null }] },
  attempt_waiting: {
    event: "attempt_waiting",
    step: "a",
    item: 0,
    attempt: 1,
    reason,
    volatile: { until: at },
  },
  attempt_resumed: { event: "attempt_resumed", step: "a", item: 0, attempt: 1 },
  attempt_stopping: { event: "attempt_stopping", step: "a", item: 0, attempt: 1, because: "TIMEOUT" },
  attempt_ended: {
    event: "attempt_ended",
    record: attempt,
    volatile: {
      startedAt: at,
      endedAt: at,
      stdoutBytes: 0,
      stderrBytes: 0,
      usage: { tokens: 1, costUsd: null },
      retryAt: at,
    },
  },
  decision: {
    event: "decision",
    step: "a",
    attempt: 1,
    decision: "reject",
    comment: "no",
    digest: sha256,
    volatile: { by: "ann@build-7" },
  },
  finally_started: { event: "finally_started", status: "failed", reason },
  transition: { event: "transition", from: "a", to: "done", because: { code: "LAST_STEP", message: "last" } },
  step_skipped: { event: "step_skipped", step: "a", item: 0, because: "so" },
  retry_scheduled: {
    event: "retry_scheduled",
    step: "a",
    item: 0,
    attempt: 1,
    because: "so",
    volatile: { notBefore: at },
  },
  run_waiting: { event: "run_waiting", reason, volatile: { until: at } },
  request_taken: { event: "request_taken", file: "control/cancel-1.json", request: "cancel", because: "so" },
  request_refused: { event: "request_refused", file: "control/x", because: "so" },
  definition_changed: {
    event: "definition_changed",
    what: "workflow",
    old: sha256,
    new: sha256,
    file: "definitions/2/workflow.yaml",
    source: "project:nightly.yaml",
    limits: { max_total_iterations: 1 },
    redo: ["a"],
  },
  input_changed: { event: "input_changed", what: "a", old: 1, new: null, redo: ["a"] },
  output_changed: {
    event: "output_changed",
    step: "a",
    attempt: 1,
    output: "k",
    old: { file: "steps/a/attempt-1/outputs/k" },
    new: { file: "steps/a/attempt-1/outputs/k", bytes: 1, sha256 },
    volatile: { bytes: 2, sha256 },
  },
  limit_clamped: { event: "limit_clamped", step: "a", limit: "timeout", from: 2, to: 1 },
  security: { event: "security", step: "a", item: 0, attempt: 1, what: "so" },
  run_ended: { event: "run_ended", status: "failed", reason, outputs: {} },
};

test("what the program writes is what the schemas say, and nothing more is allowed", () => {
  for (const [is, value] of [
    [attemptIs, attempt],
    [runIs, run],
    [gateIs, gate],
  ] as const) {
    assert.ok(is(value), ajv.errorsText(is.errors));
    assert.equal(is({ ...value, more: 1 }), false);
  }
});

for (const event of Object.values<RunEvent>(events)) {
  test(`a line with ${event.event}`, () => {
    const line = journalLine(event, { seq: 1, at, epoch: 1, run: "r-1" });
    assert.ok(lineIs(line), ajv.errorsText(lineIs.errors));
    assert.equal(parseLine(JSON.stringify(line)).kind, "line");
    assert.equal(lineIs({ ...line, more: 1 }), false);
    assert.equal(lineIs({ ...line, seq: 0 }), false);
    if ("volatile" in line) assert.equal(Object.keys(line).at(-1), "volatile");
  });
}

test("the keys of every record stand in the schema's order", () => {
  const order = (is: { schema: unknown }) => Object.keys((is.schema as { properties: object }).properties);
  assert.deepEqual(Object.keys(attempt), order(attemptIs));
  assert.deepEqual(Object.keys(run), order(runIs));
  assert.deepEqual(Object.keys(gate), order(gateIs));
});
