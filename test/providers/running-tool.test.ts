import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { isToolCall } from "../../src/providers/running-tool.ts";

const samples = new URL("../../fixtures/agents/", import.meta.url);

test("a recorded client is waiting for a tool after its call, and not after the tool's result or its own end", () => {
  const expected: Record<string, number> = {};
  for (const name of readdirSync(samples).filter((each) => each.endsWith(".jsonl"))) {
    const lines = readFileSync(new URL(name, samples), "utf8")
      .split("\n")
      .filter((line) => line !== "");
    expected[name] = lines.filter(isToolCall).length;
    assert.equal(isToolCall(lines.at(-1) ?? ""), false, `the last line of ${name}`);
  }
  for (const name of ["claude-write.stream.jsonl", "codex-command.jsonl", "gemini-write.stream.jsonl"]) {
    assert.ok((expected[name] ?? 0) > 0, `${name} calls a tool`);
  }
  for (const name of ["codex-failed-rc1.jsonl", "codex-ok-with-warning.jsonl"])
    assert.equal(expected[name], 0, name);
});

test("what is no event is no call", () => {
  for (const line of ["", "tool_use", "null", "[]", '{"type":"result"}', '{"type":"tool_use"']) {
    assert.equal(isToolCall(line), false, line);
  }
});
