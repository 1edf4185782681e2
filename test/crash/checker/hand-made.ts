/* A small finished run, written by hand, for tests that damage it. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Loose, sha256 } from "./read.ts";

const DEFINITION = `id: small
steps:
  - { id: build, needs: [], run: make, retry: { max: 1 }, output_files: { bundle: bundle.txt } }
  - { id: check, needs: [build], run: make check }
`;
const BUNDLE = "content\n";

export interface HandMade {
  readonly dir: string;
  /** Events without their heads; `epoch` where it is not that of the event before. */
  readonly events: Loose[];
  /** Files by path relative to the run. */
  readonly files: Map<string, string>;
  snapshot: Loose;
  /** After the journal's lines. */
  tail: string;
  /** The journal's text as it is about to be written. */
  edit: (journal: string) => string;
}

/** A run whose engine died in the first attempt of `check` (`crash`), or one in which nothing happened. */
export function handMade(options: { readonly crash: boolean }): HandMade {
  const dir = fs.mkdtempSync(join(tmpdir(), "wf-hand-"));
  const bundle = {
    file: "steps/build/attempt-2/outputs/bundle.txt",
    bytes: BUNDLE.length,
    sha256: sha256(Buffer.from(BUNDLE)),
  };
  const failed = {
    step: "build",
    attempt: 1,
    cause: "first",
    status: "failed",
    exitCode: 1,
    error: { code: "EXIT_STATUS", message: "exit status 1" },
    outputs: {},
  };
  const built = {
    step: "build",
    attempt: 2,
    cause: "retry",
    status: "succeeded",
    exitCode: 0,
    outputs: { bundle },
  };
  const cut = { step: "check", attempt: 1, cause: "first", status: "interrupted", outputs: {} };
  const last = options.crash ? 2 : 1;
  const checked = {
    step: "check",
    attempt: last,
    cause: options.crash ? "interrupted" : "first",
    status: "succeeded",
    exitCode: 0,
    outputs: {},
  };
  const start = (step: string, attempt: number, cause: string) => ({
    event: "attempt_started",
    step,
    attempt,
    cause,
  });
  const end = (record: Loose) => ({ event: "attempt_ended", record, volatile: {} });
  const engine = (how: string, pid: number) => ({
    event: "engine_started",
    how,
    version: "1",
    volatile: { pid },
  });
  const workflow = {
    id: "small",
    file: "workflow.yaml",
    sha256: sha256(Buffer.from(DEFINITION)),
    source: "project:small.yaml",
  };
  const events: Loose[] = [
    {
      event: "run_created",
      format: "wf.run/1",
      workflow,
      inputs: { a: 1 },
      volatile: { project: "/nowhere/project" },
    },
    engine("start", 100),
    start("build", 1, "first"),
    end(failed),
    { event: "retry_scheduled", step: "build", attempt: 1, because: "retry 1 of 1", volatile: {} },
    start("build", 2, "retry"),
    end(built),
    start("check", 1, "first"),
    ...(options.crash
      ? [{ ...engine("resume", 200), epoch: 2 }, end(cut), start("check", 2, "interrupted")]
      : []),
    end(checked),
    { event: "run_ended", status: "succeeded", outputs: {} },
  ];
  const files = new Map<string, string>([
    ["workflow.yaml", DEFINITION],
    ["lock/owner-1.json", '{"epoch":1,"pid":100}\n'],
    ["steps/build/attempt-1/attempt.json", JSON.stringify(failed)],
    ["steps/build/attempt-2/attempt.json", JSON.stringify(built)],
    ["steps/build/attempt-2/outputs/bundle.txt", BUNDLE],
    [`steps/check/attempt-${last}/attempt.json`, JSON.stringify(checked)],
    [`steps/check/attempt-${last}/stdout.log`, "checked\n"],
  ]);
  if (options.crash) {
    files.set("lock/owner-2.json", '{"epoch":2,"pid":200}\n');
    files.set("steps/check/attempt-1/attempt.json", JSON.stringify(cut));
  }
  const snapshot = {
    format: "wf.run/1",
    runId: "id",
    workflow,
    status: "succeeded",
    reason: null,
    inputs: { a: 1 },
    pointer: [],
    nextExpectedAction: "nothing: the run succeeded",
    steps: {
      build: { status: "succeeded", attempts: 2, outputs: { bundle } },
      check: { status: "succeeded", attempts: last },
    },
    outputs: {},
    iterations: 3,
    volatile: { epoch: options.crash ? 2 : 1 },
  };
  return { dir, events, files, snapshot, tail: "", edit: (journal) => journal };
}

/** Writes it; the snapshot's `seq` and `journalBytes` are those of the whole journal unless it says otherwise. */
export function put(run: HandMade): string {
  let epoch = 1;
  const lines = run.events.map((event, index) => {
    epoch = event.epoch ?? epoch;
    const { epoch: _, seq, event: name, ...rest } = event;
    const head = { seq: seq ?? index + 1, at: "2026-11-22T07:16:30.120Z", epoch, run: "id", event: name };
    return `${JSON.stringify({ ...head, ...rest })}\n`;
  });
  const journal = run.edit(lines.join(""));
  const place = { seq: lines.length, journalBytes: journal.length, ...run.snapshot?.volatile };
  run.files.set("progress.ndjson", journal + run.tail);
  if (!run.files.has("run.json") && run.snapshot) {
    run.files.set("run.json", JSON.stringify({ ...run.snapshot, volatile: place }));
  }
  for (const [name, text] of run.files) {
    const path = join(run.dir, name);
    fs.mkdirSync(dirname(path), { recursive: true });
    fs.writeFileSync(path, text);
  }
  return run.dir;
}
