import assert from "node:assert/strict";
import { test } from "node:test";
import { readEnvelope } from "../../src/steps/envelope.ts";

const inMarks = (inner: string) => `[workflow_result]${inner}[/workflow_result]`;

const TABLE: readonly (readonly [string, string, object | string])[] = [
  ["none", "all done", "none"],
  ["one", `done\n${inMarks('{"a": 1}')}`, { a: 1 }],
  ["on lines of its own", inMarks('\n{\n  "a": [1, null]\n}\n'), { a: [1, null] }],
  ["text before and behind", `so: ${inMarks('{"a": 1}')} and that is it`, { a: 1 }],
  ["a fence around the marks", `\`\`\`\n${inMarks('{"a": 1}')}\n\`\`\``, { a: 1 }],
  [
    "a fence around the JSON",
    inMarks('\n```json\n{"a": 1}\n```\n'),
    "the JSON in the result envelope stands in a Markdown fence; write it bare",
  ],
  ["two", `${inMarks('{"a": 1}')}\n${inMarks('{"a": 2}')}`, "there are two result envelopes, or more"],
  [
    "the second not closed",
    `${inMarks('{"a": 1}')}\n[workflow_result]`,
    "there are two result envelopes, or more",
  ],
  ["one in another", inMarks(inMarks("{}")), "there are two result envelopes, or more"],
  [
    "the marks as content",
    inMarks(JSON.stringify({ a: `x ${inMarks("{}")}` })),
    { a: "x [workflow_result]{}[/workflow_result]" },
  ],
  ["not closed", '[workflow_result]{"a": 1}', "the result envelope is not closed with [/workflow_result]"],
  [
    "not opened",
    '{"a": 1}[/workflow_result]',
    "[/workflow_result] closes a result envelope that was not opened",
  ],
  ["empty", inMarks("  "), "the result envelope is empty"],
  ["a list", inMarks("[1]"), "the result envelope holds a list; it must be a JSON object"],
  ["a string", inMarks('"approve"'), "the result envelope holds a string; it must be a JSON object"],
  ["null", inMarks("null"), "the result envelope holds null; it must be a JSON object"],
  ["no JSON", inMarks("decision: approve"), "the result envelope is not valid JSON"],
  ["single quotes", inMarks("{'a': 1}"), "the result envelope is not valid JSON (character 2)"],
  ["a comma too many", inMarks('{"a": 1,}'), "the result envelope is not valid JSON (character 9)"],
  ["a comment", inMarks('{"a": 1} // done'), "the result envelope has text behind its JSON object"],
  ["two objects", inMarks('{"a": "}"} {"b": 2}'), "the result envelope has text behind its JSON object"],
  ["a key twice", inMarks('{"a": 1, "b": 2, "a": 3}'), 'the result envelope has the key "a" twice'],
  [
    "a key twice, deeper",
    inMarks('{"a": [{"x": 1, "\\u0078": 2}]}'),
    'the result envelope has the key "x" twice',
  ],
  [
    "a key again in another object",
    inMarks('{"a": {"a": 1}, "b": [{"a": ":"}, {"a": 2}]}'),
    { a: { a: 1 }, b: [{ a: ":" }, { a: 2 }] },
  ],
];

for (const [what, text, expected] of TABLE) {
  test(`an envelope: ${what}`, () => {
    const read = readEnvelope(text);
    const found = read.kind === "result" ? read.values : read.kind === "none" ? "none" : read.message;
    assert.deepEqual(found, expected);
  });
}
