import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent, Provider } from "../../src/core/workflow.ts";
import { clientOf } from "../../src/providers/index.ts";

function call(provider: Provider, permissions: Agent["permissions"], model: string | null = "m") {
  return clientOf(provider).call({
    model,
    args: ["--own"],
    permissions,
    workspace: "/p",
    attemptDir: "/p/.wf/a",
    outputsDir: "/p/.wf/a/outputs",
    whereabouts: "it is there",
    protect: ["/p/.wf/runs/*/run.json"],
  });
}

const line = (...given: Parameters<typeof call>) => {
  const { program, args } = call(...given);
  return [program, ...args].map((arg) => (/[\s()*"]/.test(arg) ? `'${arg}'` : arg)).join(" ");
};

const CLAUDE =
  "claude -p --output-format stream-json --verbose --model m --append-system-prompt 'it is there'";
const READ = "--allowedTools 'Read(//p/.wf/a/**)'";
const CODEX = `codex exec --json --skip-git-repo-check -C /p -m m -c 'developer_instructions="it is there"'`;
const GEMINI = "gemini -o stream-json -m m";

for (const [kind, permissions, expected] of [
  ["claude", "read", `${CLAUDE} --permission-mode default ${READ} --disallowedTools 'Edit(//**)' --own`],
  [
    "claude",
    "write",
    `${CLAUDE} --permission-mode acceptEdits ${READ} --add-dir /p/.wf/a/outputs --disallowedTools 'Edit(//p/.wf/runs/*/run.json)' --own`,
  ],
  ["claude", "full", `${CLAUDE} --dangerously-skip-permissions --own`],
  ["codex", "read", `${CODEX} -s read-only --own -`],
  ["codex", "write", `${CODEX} -s workspace-write --add-dir /p/.wf/a/outputs --own -`],
  ["codex", "full", `${CODEX} --dangerously-bypass-approvals-and-sandbox --own -`],
  [
    "gemini",
    "read",
    `${GEMINI} --approval-mode default --include-directories /p/.wf/a --own -p 'it is there'`,
  ],
  [
    "gemini",
    "write",
    `${GEMINI} --approval-mode auto_edit --include-directories /p/.wf/a --own -p 'it is there'`,
  ],
  ["gemini", "full", `${GEMINI} --yolo --include-directories /p/.wf/a --own -p 'it is there'`],
] as const) {
  test(`${kind} with ${permissions}`, () => assert.equal(line({ kind }, permissions), expected));
}

test("nothing but full skips a client's permissions, and no model is named if the workflow names none", () => {
  for (const kind of ["claude", "codex", "gemini"] as const) {
    for (const permissions of ["read", "write"] as const) {
      assert.doesNotMatch(line({ kind }, permissions, null), /dangerously|yolo| -m |--model/);
    }
  }
});

test("a client of one's own gets the prompt itself, its arguments, and the rest as variables", () => {
  const own: Provider = {
    kind: "custom",
    name: "own",
    command: ["bin/own", "-q"],
    output: "text",
    fields: {},
  };
  assert.deepEqual(call(own, "read"), {
    program: "bin/own",
    args: ["-q", "--own"],
    env: { WF_AGENT_MODEL: "m", WF_AGENT_PERMISSIONS: "read" },
    stdin: "prompt",
  });
});
