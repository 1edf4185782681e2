import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ID_PATTERN, idFault, NAME_PATTERN, nameFault, variableName } from "../../src/core/ids.ts";

for (const id of ["-rf", "..", "Case", "", "a/b", "a b", "9", "é", "a\n", "x".repeat(65), "__proto__"]) {
  test(`${JSON.stringify(id)} is no id`, () => assert.notEqual(idFault(id), null));
}

test("there is a fault exactly where the pattern does not fit", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "Z", "0", "_", "-", ".", "\n"), maxLength: 70 });
  fc.assert(fc.property(text, (each) => assert.equal(idFault(each) === null, ID_PATTERN.test(each))));
  fc.assert(fc.property(text, (each) => assert.equal(nameFault(each) === null, NAME_PATTERN.test(each))));
});

test("names of variables are upper-case, other characters become _", () => {
  assert.equal(variableName("WF_V", ["steps", "a-b", "outputs", "x"]), "WF_V_STEPS_A_B_OUTPUTS_X");
});
