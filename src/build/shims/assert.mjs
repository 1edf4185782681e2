// yargs asserts a few things about its own state; loading node:assert for that takes more than a millisecond.
const load = () => require("node:assert");

export const strictEqual = (a, b, message) => {
  if (!Object.is(a, b)) load().strictEqual(a, b, message);
};
export const notStrictEqual = (a, b, message) => {
  if (Object.is(a, b)) load().notStrictEqual(a, b, message);
};
