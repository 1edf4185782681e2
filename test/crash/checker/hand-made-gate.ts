/* A small finished run with a rejection, an approval and a step at the end, written by hand. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HandMade } from "./hand-made.ts";
import { type Loose, sha256 } from "./read.ts";

const DEFINITION = `id: asked
steps:
  - { id: build, run: make }
  - { id: ask, message: 'Good?', on_reject: build }
finally:
  - { id: clean, run: make clean }
`;

/** An engine that died while it stopped the second attempt of `build` for a signal (`crash`), or that nothing hurt. */
export function handMadeGate(options: { readonly crash: boolean }): HandMade {
  const dir = fs.mkdtempSync(join(tmpdir(), "wf-hand-"));
  const files = new Map<string, string>([["workflow.yaml", DEFINITION]]);
  const workflow = {
    id: "asked",
    file: "workflow.yaml",
    sha256: sha256(Buffer.from(DEFINITION)),
    source: "project:asked.yaml",
  };
  let epoch = 0;
  const engine = (how: string): Loose => {
    epoch += 1;
    files.set(`lock/owner-${epoch}.json`, `{"epoch":${epoch},"pid":${epoch}00}\n`);
    return { event: "engine_started", how, version: "1", volatile: { pid: epoch * 100 }, epoch };
  };
  const start = (step: string, attempt: number, cause: string): Loose => {
    if (step === "ask") files.set(`steps/ask/attempt-${attempt}/gate.json`, gate(attempt));
    return { event: "attempt_started", step, attempt, cause };
  };
  const end = (record: Loose): Loose => {
    files.set(`steps/${record.step}/attempt-${record.attempt}/attempt.json`, JSON.stringify(record));
    return { event: "attempt_ended", record, volatile: {} };
  };
  const ran = (step: string, attempt: number, cause: string): Loose[] => [
    start(step, attempt, cause),
    end({ step, attempt, cause, status: "succeeded", exitCode: 0, outputs: {} }),
  ];
  const move = (from: string, to: string, code: string): Loose => ({
    event: "transition",
    from,
    to,
    because: { code, message: "" },
  });
  const decide = (attempt: number, decision: string, comment: string, cause: string): Loose[] => {
    const file = `control/decide-ask-${attempt}-1.json`;
    const digest = sha256(Buffer.from("Good?"));
    const request = { request: "decide", step: "ask", attempt, decision, comment, digest, by: "ann" };
    files.set(file, JSON.stringify({ ...request, nonce: "0123456789abcdef" }));
    const outputs = { decision: { value: decision }, ...(comment && { feedback: { value: comment } }) };
    return [
      { event: "request_taken", file, request: "decide", because: decision },
      { event: "decision", step: "ask", attempt, decision, comment, digest, volatile: { by: "ann" } },
      end({ step: "ask", attempt, cause, status: "succeeded", outputs, decision }),
    ];
  };
  const waits = (attempt: number): Loose => ({
    event: "run_waiting",
    reason: { code: "APPROVAL", message: "ask waits for a decision", step: "ask", attempt },
  });
  const built = options.crash ? 3 : 2;
  const events: Loose[] = [
    {
      event: "run_created",
      format: "wf.run/1",
      workflow,
      inputs: {},
      volatile: { project: "/nowhere/project" },
    },
    engine("start"),
    ...ran("build", 1, "first"),
    move("build", "ask", "NEXT_IN_FILE"),
    start("ask", 1, "first"),
    waits(1),
    engine("resume"),
    ...decide(1, "reject", "no", "first"),
    move("ask", "build", "REJECTED"),
    ...(options.crash
      ? [
          start("build", 2, "rework"),
          { event: "attempt_stopping", step: "build", attempt: 2, because: "SIGNAL" },
          engine("resume"),
          { event: "attempt_adopted", step: "build", attempt: 2 },
          end({
            step: "build",
            attempt: 2,
            cause: "rework",
            status: "canceled",
            exitCode: 143,
            signal: "SIGTERM",
            outputs: {},
          }),
        ]
      : []),
    ...ran("build", built, options.crash ? "resume" : "rework"),
    move("build", "ask", "NEXT_IN_FILE"),
    start("ask", 2, "rework"),
    waits(2),
    engine("resume"),
    ...decide(2, "approve", "", "rework"),
    move("ask", "done", "LAST_STEP"),
    { event: "finally_started", status: "succeeded" },
    ...ran("clean", 1, "first"),
    { event: "run_ended", status: "succeeded", outputs: {} },
  ];
  const snapshot = {
    format: "wf.run/1",
    runId: "id",
    workflow,
    status: "succeeded",
    reason: null,
    inputs: {},
    pointer: [],
    nextExpectedAction: "nothing: the run succeeded",
    steps: {
      build: { status: "succeeded", attempts: built },
      ask: {
        status: "succeeded",
        attempts: 2,
        decision: "approve",
        outputs: { decision: { value: "approve" } },
      },
      clean: { status: "succeeded", attempts: 1 },
    },
    outputs: {},
    iterations: 4,
    volatile: { epoch },
  };
  return { dir, events, files, snapshot, tail: "", edit: (journal) => journal };
}

function gate(attempt: number): string {
  const digest = sha256(Buffer.from("Good?"));
  const record = { step: "ask", attempt, message: "Good?", shows: [], digest };
  return JSON.stringify({ ...record, volatile: { nonce: "0123456789abcdef" } });
}
