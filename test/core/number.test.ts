import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exactJsonNumber, exactNumber } from "../../src/core/number.ts";

for (const text of [
  "9007199254740993",
  "9007199254740992",
  "1e999",
  "-1e999",
  "0.1234567890123456789",
  "1e-400",
  ".inf",
  ".nan",
  "0x20000000000001",
]) {
  test(`${text} would be rounded`, () => assert.equal(exactNumber(text), null));
}

for (const [text, value] of [
  ["0.1", 0.1],
  ["9007199254740991", 9007199254740991],
  ["1.50", 1.5],
  ["1e3", 1000],
  ["-0", 0],
  ["0x1F", 31],
  ["0o17", 15],
  ["1e21", 1e21],
  ["+.5", 0.5],
  ["010", 10],
] as const) {
  test(`${text} is ${value}`, () => assert.equal(exactNumber(text), value));
}

test("every number is read back from its own text", () => {
  const number = fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((each) => Math.abs(each) < 2 ** 53 || !Number.isInteger(each) || String(each).includes("e"));
  fc.assert(fc.property(number, (each) => assert.equal(exactNumber(String(each)), each === 0 ? 0 : each)));
});

for (const text of ["0x1F", "01", "+1", ".5", "1.", " 1", "NaN", "Infinity", "", "1_000"]) {
  test(`"${text}" is no number of JSON`, () => assert.equal(exactJsonNumber(text), null));
}
