import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { JournalLine, RunEvent } from "../../src/core/event.ts";
import type { RunRecord } from "../../src/core/record.ts";
import { type CreatedRun, createRun } from "../../src/store/create-run.ts";
import { journalLine } from "../../src/store/journal.ts";
import { formatRecord } from "../../src/store/record-text.ts";

export const AT = new Date("2026-11-22T07:16:30.120Z");
export const RUN = "nightly-0042";
export const VERSION = "0.1.0";

export function tempDir(t: TestContext): string {
  const path = fs.mkdtempSync(join(tmpdir(), "wf-store-"));
  t.after(() => fs.rmSync(path, { recursive: true, force: true }));
  return path;
}

export const created: RunEvent = {
  event: "run_created",
  format: "wf.run/1",
  workflow: { id: "nightly", file: "workflow.yaml", sha256: "00", source: "project:nightly.yaml" },
  inputs: { name: "naïve ☃" },
  limits: { max_total_iterations: 100 },
  options: { durability: "process" },
  volatile: { project: "/p" },
};

export const started = (step: string, attempt = 1): RunEvent => ({
  event: "attempt_started",
  step,
  attempt,
  cause: "first",
});

export const ended = (step: string, attempt = 1): RunEvent => ({
  event: "attempt_ended",
  record: { step, attempt, cause: "first", status: "succeeded", exitCode: 0, outputs: {} },
  volatile: { startedAt: AT.toISOString(), endedAt: AT.toISOString(), stdoutBytes: 3, stderrBytes: 0 },
});

export function line(seq: number, event: RunEvent, epoch = 1, run = RUN): string {
  return `${JSON.stringify(journalLine(event, { seq, at: AT.toISOString(), epoch, run }))}\n`;
}

/** A run with a snapshot as of its journal's end. */
export function makeRun(
  runsDir: string,
  options: { runId?: string; events?: readonly RunEvent[] } = {},
): CreatedRun {
  return createRun(runsDir, options.runId ?? RUN, {
    definition: Buffer.from("id: nightly\n"),
    firstLines: options.events ?? [created],
    snapshot: (lines, journalBytes) => formatRecord(record(lines, journalBytes)),
    durability: "process",
    at: AT,
    version: VERSION,
  });
}

export function record(lines: readonly JournalLine[], journalBytes: number): RunRecord {
  const last = lines.at(-1) as JournalLine;
  return {
    format: "wf.run/1",
    runId: last.run,
    workflow: { id: "nightly", file: "workflow.yaml", sha256: "00", source: "project:nightly.yaml" },
    status: "running",
    reason: null,
    inputs: {},
    options: { durability: "process" },
    pointer: [{ step: "fetch", attempt: 1, state: "due" }],
    nextExpectedAction: "start attempt 1 of fetch",
    steps: { fetch: { status: "pending", attempts: 0 } },
    outputs: {},
    iterations: 0,
    volatile: {
      createdAt: last.at,
      startedAt: null,
      updatedAt: last.at,
      endedAt: null,
      epoch: last.epoch,
      seq: last.seq,
      journalBytes,
      project: "/p",
    },
  };
}

export function hasCode(code: string, pattern?: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { name, code: found, message } = error as { name: string; code: string; message: string };
    return name === "WfError" && found === code && (pattern === undefined || pattern.test(message));
  };
}
