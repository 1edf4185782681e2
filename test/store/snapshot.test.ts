import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { RunRecord } from "../../src/core/record.ts";
import { formatRecord, recordInPieces } from "../../src/store/record-text.ts";
import { readSnapshot, readSnapshotFile, writeSnapshot } from "../../src/store/snapshot.ts";
import { hasCode, record, tempDir } from "./helpers.ts";

const sample: RunRecord = record(
  [{ seq: 1, epoch: 1, run: "r-1", at: "2026-11-22T07:16:30.120Z" } as never],
  120,
);

test("a record reads as two-space JSON, its volatile member last and on one line", () => {
  const volatile = {
    at: "x",
    epoch: 1,
    git: { commit: "c", dirty: false },
    list: [1, "a, b"],
    none: {},
    no: null,
  };
  assert.equal(
    formatRecord({ format: "wf.run/1", inputs: { a: [1] }, outputs: {}, volatile }),
    `{
  "format": "wf.run/1",
  "inputs": {
    "a": [
      1
    ]
  },
  "outputs": {},
  "volatile": { "at": "x", "epoch": 1, "git": { "commit": "c", "dirty": false }, "list": [1, "a, b"], "none": {}, "no": null }
}
`,
  );
  assert.equal(formatRecord({ volatile: { a: 1 } }), '{\n  "volatile": { "a": 1 }\n}\n');
  assert.equal(formatRecord({ step: "a" }), '{\n  "step": "a"\n}\n');
});

test("property: a formatted record parses to what it was, whatever is in it", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.dictionary(fc.string(), fc.jsonValue()),
      (body, last) => {
        const value = { ...body, volatile: last };
        const text = formatRecord(value);
        assert.equal(JSON.stringify(JSON.parse(text)), JSON.stringify(value));
        assert.equal(text.split("\n").at(-3)?.startsWith('  "volatile": {'), true);
      },
    ),
  );
});

test("property: in pieces it is the same text", () => {
  const members = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_-]{0,9}$/), fc.jsonValue(), { maxKeys: 40 });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), members, (volatile, steps) => {
      const record = { inputs: { steps: {} }, steps: {}, outputs: { steps: {} }, volatile };
      const pieces = [...recordInPieces(record, "steps", Object.entries(steps))];
      assert.equal(pieces.join(""), formatRecord({ ...record, steps }));
    }),
  );
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`s${i}`, { status: "pending" }]));
  const pieces = [...recordInPieces({ steps: {} }, "steps", Object.entries(many))];
  assert.equal(pieces.length, 6);
  assert.equal(pieces.join(""), formatRecord({ steps: many }));
});

test("what was written is read", (t) => {
  const runDir = tempDir(t);
  writeSnapshot(runDir, formatRecord(sample), { sync: true });
  assert.deepEqual(readSnapshot(runDir), { kind: "current", record: sample });
  assert.deepEqual(fs.readdirSync(runDir), ["run.json"]);
});

test("a record from before inputs were recorded is read as such, from a folder or as a bare file", (t) => {
  const runDir = tempDir(t);
  const old = {
    runId: "r-1",
    workflowId: "nightly",
    state: "failed",
    startedAt: 1700000000,
    updatedAt: 1700000100.5,
    currentStepId: "fetch",
    currentAttempt: 2,
    totalIterations: null,
    something: "else",
  };
  const expected = {
    kind: "legacy",
    record: {
      runId: "r-1",
      workflowId: "nightly",
      state: "failed",
      startedAt: 1700000000,
      updatedAt: 1700000100.5,
      currentStepId: "fetch",
      currentAttempt: 2,
      totalIterations: null,
      terminalReason: null,
      inputs: null,
    },
  };
  for (const name of ["run.json", "r-1.json"]) fs.writeFileSync(join(runDir, name), JSON.stringify(old));
  assert.deepEqual(readSnapshot(runDir), expected);
  assert.deepEqual(readSnapshotFile(join(runDir, "r-1.json")), expected);
});

test("a newer format is refused with what is needed, anything else is missing or unreadable with why", (t) => {
  const runDir = tempDir(t);
  const path = join(runDir, "run.json");
  assert.deepEqual(readSnapshot(runDir), { kind: "missing", why: "it does not exist" });
  fs.writeFileSync(path, '{"format":"wf.run/2"}');
  assert.throws(
    () => readSnapshot(runDir),
    (error: Error & { hint: string }) => hasCode("FORMAT_UNKNOWN")(error) && /wf\.run\/2/.test(error.hint),
  );
  const unreadable: [text: string, why: string][] = [
    ["", "it is not JSON"],
    ["[]", "it is not a JSON object"],
    ["{}", "it has no format"],
    ['{"format":7}', "format is missing or wrong"],
    [JSON.stringify({ ...sample, status: "done" }), "status is missing or wrong"],
    [JSON.stringify({ ...sample, steps: { a: 1 } }), "steps is missing or wrong"],
    [
      JSON.stringify({ ...sample, volatile: { ...sample.volatile, seq: -1 } }),
      "volatile.seq is missing or wrong",
    ],
  ];
  for (const [text, why] of unreadable) {
    fs.writeFileSync(path, text);
    assert.deepEqual(readSnapshot(runDir), { kind: "unreadable", why });
  }
  fs.rmSync(path);
  fs.mkdirSync(path);
  assert.equal(readSnapshot(runDir).kind, "unreadable");
});
