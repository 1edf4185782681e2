import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { AgentStep } from "../../src/core/workflow.ts";
import { workflow } from "./rig.ts";

const folder = new URL("../../fixtures/workflows/orchestrators/", import.meta.url);
const read = (name: string) => readFileSync(new URL(`${name}.orchestrator.yaml`, folder), "utf8");

for (const [name, sha256] of [
  ["minimal", "e26d0160433abf242eed848217091eca28a0465b491e0df3a632e27e9993d32f"],
  ["product", "a472e6f853e0f760631ffe6c3ae55b76aceebfe3ef182fbfd54107f215859d96"],
] as const) {
  test(`${name} is as its authors wrote it`, () => {
    assert.equal(createHash("sha256").update(read(name)).digest("hex"), sha256);
  });
}

test("a workbook of the field is read whole", () => {
  const found = workflow(read("minimal"));
  assert.equal(found.id, "minimal_single_agent");
  assert.deepEqual(found.limits, { maxTotalIterations: 12, runTimeoutMs: 3_600_000, budget: {} });
  const [step] = found.steps as AgentStep[];
  assert.deepEqual(step?.agent, {
    name: "default",
    provider: { kind: "claude" },
    model: "sonnet",
    args: [],
    env: {},
    permissions: "write",
  });
  assert.deepEqual(
    [step?.type, step?.workspaceMode, step?.timeoutMs, step?.retry.max],
    ["agent_task", "run_workspace", 900_000, 2],
  );
  assert.deepEqual(
    step?.outputs.map(({ key, required, parsed, file }) => [key, required, parsed, file?.source]),
    [
      [
        "summary",
        true,
        false,
        "output/summary__{{workflow.run_id}}__{{workflow.step_id}}__a{{workflow.attempt}}.txt",
      ],
      [
        "result",
        true,
        false,
        "output/result__{{workflow.run_id}}__{{workflow.step_id}}__a{{workflow.attempt}}.md",
      ],
    ],
  );
});

test("a longer one in the same dialect: its reviews send back, its limits go before the workbook's", () => {
  const found = workflow(read("feature"));
  assert.deepEqual(found.limits, { maxTotalIterations: 30, runTimeoutMs: 7_200_000, budget: {} });
  const steps = found.steps as AgentStep[];
  const target = (to: unknown) =>
    (to as { index?: number })?.index === undefined ? to : steps[(to as { index: number }).index]?.id;
  assert.deepEqual(
    steps.map(({ id, type, agent, gate, next, timeoutMs, timeoutClampedFromMs, retry }) => [
      id,
      type,
      agent.provider.kind,
      agent.permissions,
      gate ? [target(gate.onApprove), target(gate.onReject)] : target(next),
      [timeoutMs, timeoutClampedFromMs, retry.max],
    ]),
    [
      ["clone", "agent_task", "codex", "write", undefined, [300_000, undefined, 1]],
      ["plan", "agent_task", "claude", "write", undefined, [900_000, undefined, 2]],
      ["plan_review", "agent_review", "claude", "read", ["build", "plan"], [900_000, undefined, 2]],
      ["build", "agent_task", "codex", "write", undefined, [1_800_000, 3_600_000, 2]],
      ["build_review", "agent_review", "claude", "read", ["pull_request", "build"], [900_000, undefined, 2]],
      ["pull_request", "agent_task", "codex", "write", { to: "done" }, [900_000, undefined, 2]],
    ],
  );
});
