import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../src/core/duration.ts";

const good: [string | number, number][] = [
  ["500ms", 500],
  ["30s", 30_000],
  ["10m", 600_000],
  ["1h30m", 5_400_000],
  ["1h", 3_600_000],
  ["2m5s250ms", 125_250],
  ["0s", 0],
  [30, 30_000],
  [0.25, 250],
  ["8760h", 31_536_000_000],
];
for (const [text, ms] of good) {
  test(`${text} is ${ms} ms`, () => assert.deepEqual(parseDuration(text), { ok: true, ms }));
}

for (const text of [
  "",
  "30",
  "1.5h",
  "1d",
  "10 m",
  "m",
  "1m30",
  "30s1m",
  "-1s",
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "8761h",
  "1H",
]) {
  test(`${JSON.stringify(text)} is no duration`, () => assert.equal(parseDuration(text).ok, false));
}

test("what is printed is read back as the same number", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 31_536_000_000 }), (ms) =>
      assert.deepEqual(parseDuration(formatDuration(ms)), { ok: true, ms }),
    ),
  );
});
