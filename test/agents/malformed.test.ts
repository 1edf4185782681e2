import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failure } from "../../src/core/event.ts";
import { projectFor } from "../rig/project.ts";
import { attemptFolder, type Plan, withStandIns } from "./rig.ts";

const WORKFLOW = `id: malformed
agents:
  writer: { provider: claude, model: opus }
steps:
  - id: work
    agent: writer
    prompt: Write {{workflow.output_paths_json}}
    retry: { max: 0 }
    timeout: 60s
    outputs:
      verdict: { type: integer }
    output_files:
      plan: plan.md
`;

const MESSAGE = `Your task is in the file prompt.md in the folder $WF_ATTEMPT_DIR. Read it first, and do what it says.
context.json in the same folder holds the inputs and the outputs that are expected.
Write each output that has a file there to that file; its path is relative to the same folder.

End your last message with the values of the outputs that you have not written to a file, in this form:
[workflow_result]{"status":"succeeded","summary":"…","verdict":"…","plan":"…"}[/workflow_result]
It is one JSON object between the two marks, once, with nothing else between them and no Markdown fence.
If you can not do the task, write "status": "failed" there, and why in "summary".
`;

const CONTEXT = `{
  "workflow": "malformed",
  "run": "$WF_RUN_ID",
  "step": "work",
  "attempt": 1,
  "inputs": {},
  "outputs": {
    "verdict": {
      "required": true,
      "schema": {
        "type": "integer"
      }
    },
    "plan": {
      "file": "outputs/plan.md",
      "required": true
    }
  }
}
`;

const INIT = `{"type":"system","subtype":"init","session_id":"s","model":"opus","claude_code_version":"2.1.330"}\n`;

interface Case {
  readonly plan: Plan;
  readonly error: Failure;
  /** In `agent.json`. */
  readonly failure: string;
  /** Null: none, since it was stopped. */
  readonly exit?: number | null;
  readonly status?: string;
  readonly signal?: string;
  readonly denied?: readonly string[];
  /** What is there beyond the files that every attempt has. */
  readonly left?: Readonly<Record<string, string>>;
  /** For another line than the one of the step above. */
  readonly change?: readonly [string, string];
}

const ENVELOPE_HINT =
  "the final message ends with [workflow_result]{…}[/workflow_result], a JSON object between two marks";
const OUTPUT_HINT = "an agent writes each declared file, or gives its value in the result envelope";
const LOG_HINT = "see stdout.log and stderr.log";
const NOTHING_THERE = { verdict: "is not in the result envelope", plan: "was not written (plan.md)" };
const ALL_MISSING =
  "outputs are missing: verdict is not in the result envelope; plan was not written (plan.md)";
const written = { write: { plan: "# Plan\n" } };
const PLAN = { "outputs/plan.md": "# Plan\n" };
const NO_FILES = { "outputs/": "" };

const invalid = (message: string): Pick<Case, "error" | "failure" | "left"> => ({
  error: {
    code: "ENVELOPE_INVALID",
    message: `${message}; ${ALL_MISSING}`,
    hint: ENVELOPE_HINT,
    details: NOTHING_THERE,
  },
  failure: "bad_output",
  left: NO_FILES,
});

const unfit = (code: string, details: Record<string, string>): Pick<Case, "error" | "failure"> => ({
  error: {
    code,
    message: `the agent ended well, but its outputs did not pass: ${Object.entries(details)
      .map(([key, sentence]) => `${key} ${sentence}`)
      .join("; ")}`,
    hint: OUTPUT_HINT,
    details,
  },
  failure: "bad_output",
});

const CASES: Readonly<Record<string, Case>> = {
  "no envelope": {
    plan: { text: "all done" },
    error: {
      code: "ENVELOPE_MISSING",
      message: `the agent's final message has no result envelope, and ${ALL_MISSING}`,
      hint: ENVELOPE_HINT,
      details: NOTHING_THERE,
    },
    failure: "no_output",
    left: NO_FILES,
  },
  "two envelopes": {
    plan: {
      text: '[workflow_result]{"verdict": 1}[/workflow_result] or [workflow_result]{"verdict": 2}[/workflow_result]',
    },
    ...invalid("there are two result envelopes, or more"),
  },
  "an envelope with no object": {
    plan: { result: ["verdict", 1] },
    ...invalid("the result envelope holds a list; it must be a JSON object"),
  },
  "an envelope with a fence": {
    plan: { text: '[workflow_result]\n```json\n{"verdict": 1}\n```\n[/workflow_result]' },
    ...invalid("the JSON in the result envelope stands in a Markdown fence; write it bare"),
  },
  "an envelope with a key twice": {
    plan: { text: '[workflow_result]{"verdict": 1, "verdict": 2}[/workflow_result]' },
    ...invalid('the result envelope has the key "verdict" twice'),
  },
  "a missing key": {
    plan: { ...written, result: { summary: "done" } },
    ...unfit("OUTPUT_MISSING", { verdict: "is not in the result envelope" }),
    left: PLAN,
  },
  "an empty key": {
    plan: { result: { verdict: "", plan: " \n" } },
    ...unfit("OUTPUT_MISSING", { verdict: "is empty", plan: "is empty" }),
    left: NO_FILES,
  },
  "an empty file, which goes before the value in the envelope": {
    plan: { write: { plan: "" }, result: { verdict: 1, plan: "# Plan" } },
    ...unfit("OUTPUT_MISSING", { plan: "is empty (plan.md)" }),
    left: { "outputs/plan.md": "" },
  },
  "a wrong type": {
    plan: { ...written, result: { verdict: "1" } },
    ...unfit("OUTPUT_INVALID", { verdict: "must be integer, it is string" }),
    left: PLAN,
  },
  "an output outside of its folder": {
    plan: { write: { "attempt:plan.md": "# Plan\n" }, result: { verdict: 1 } },
    ...unfit("OUTPUT_MISSING", { plan: "was not written (plan.md)" }),
    left: { "plan.md": "# Plan\n", ...NO_FILES },
  },
  "a link out of the folder": {
    plan: { link: { plan: "../../../../run.json" }, result: { verdict: 1 } },
    ...unfit("OUTPUT_UNSAFE", { plan: "plan.md is a link that leaves the outputs folder" }),
    left: { "outputs/plan.md": "-> ../../../../run.json" },
  },
  "success that the client did not report": {
    plan: { ...written, end: "none", stderr: "Segmentation fault\n" },
    error: {
      code: "AGENT_NO_OUTPUT",
      message: "claude ended without a final answer: Segmentation fault",
      hint: LOG_HINT,
    },
    failure: "no_output",
    left: PLAN,
  },
  "an error that the client reports with status 0": {
    plan: { ...written, error: { status: 500, message: "broken" }, exit: 0 },
    error: {
      code: "AGENT_SERVER",
      message: "claude was answered by its server with an error: API Error: 500 broken",
    },
    failure: "server",
    left: PLAN,
  },
  "a status that is not 0": {
    plan: { ...written, result: { verdict: 1 }, exit: 3 },
    error: {
      code: "AGENT_BAD_OUTPUT",
      message: "the client reported success, but ended with exit status 3",
      hint: "see stderr.log",
    },
    failure: "bad_output",
    exit: 3,
    left: PLAN,
  },
  "a tool that was denied": {
    plan: { denied: ["Write"], result: { verdict: 1 } },
    error: {
      code: "AGENT_DENIED",
      message:
        "the client was not allowed to use Write, and outputs are missing: plan was not written (plan.md)",
      hint: "see permissions and args of the agent",
      details: { plan: "was not written (plan.md)" },
    },
    failure: "denied",
    denied: ["Write"],
    left: NO_FILES,
  },
  "an agent that says it failed": {
    plan: { ...written, result: { status: "failed", summary: "the repository is empty", verdict: 1 } },
    error: { code: "AGENT_FAILED", message: "the agent says that it failed: the repository is empty" },
    failure: "bad_output",
    left: PLAN,
  },
  "a client that hangs": {
    change: ["timeout: 60s", "timeout: 2s"],
    plan: { ...written, hang: true },
    error: {
      code: "TIMEOUT",
      message: "it took longer than its timeout of 2s",
      hint: "see stderr.log; or raise timeout",
    },
    failure: "timeout",
    status: "timed_out",
    exit: 143,
    signal: "SIGTERM",
    left: PLAN,
  },
};

for (const [name, each] of Object.entries(CASES)) {
  test(`${name}: the attempt fails, and its folder says why`, async (t) => {
    const project = projectFor(t);
    const [from, to] = each.change ?? ["", ""];
    project.write("w.yaml", WORKFLOW.replace(from, to));
    const { code, stderr } = await withStandIns(project, ["run", "w.yaml"], {
      work: { session: "s", ...each.plan },
    });
    assert.equal(code, 1, stderr);
    const folder = attemptFolder(project, project.onlyRun(), "work", 1);
    const { "stdout.log": printed = "", ...rest } = folder;
    assert.ok(printed.startsWith(INIT), printed);
    assert.deepEqual(rest, expectedFolder(each));
    await project.quiet();
  });
}

function expectedFolder({
  plan,
  error,
  failure,
  exit = 0,
  status = "failed",
  signal,
  denied = [],
  left,
}: Case) {
  const record = {
    step: "work",
    attempt: 1,
    cause: "first",
    status,
    exitCode: exit,
    ...(signal && { signal }),
    error,
    outputs: {},
    next: { to: "fail", because: "it failed" },
  };
  const agent = { provider: "claude", model: "opus", permissions: "write", denied, failure };
  return {
    "prompt.md": 'Write {"plan":"<run>/steps/work/attempt-1/outputs/plan.md"}\n',
    "context.json": CONTEXT,
    "stdin.txt": MESSAGE,
    "agent.json": `${JSON.stringify(agent, null, 2)}\n`,
    "attempt.json": `${JSON.stringify(record, null, 2)}\n`,
    exit: `${exit}\n`,
    "stderr.log": plan.stderr ?? "",
    ...left,
  };
}

test("a client that reads its standard input to the end finds one: the message, or the prompt", async (t) => {
  const project = projectFor(t);
  project.write(
    "w.yaml",
    `id: stdin
providers:
  echo: { command: [cat], output: text }
agents:
  own: { provider: echo }
steps:
  - id: work
    agent: own
    prompt: '[workflow_result]{"verdict": 1}[/workflow_result]'
    outputs: { verdict: { type: integer } }
outputs: { verdict: '{{steps.work.outputs.verdict}}' }
`,
  );
  const { code, stderr } = await withStandIns(project, ["run", "w.yaml"]);
  assert.equal(code, 0, stderr);
  const { "attempt.json": record = "", "stdin.txt": message } = attemptFolder(
    project,
    project.onlyRun(),
    "work",
    1,
  );
  assert.deepEqual(JSON.parse(record).outputs, { verdict: { value: 1 } });
  assert.equal(message, undefined);
});

test("the same malformed run twice leaves equal files", async (t) => {
  const folders = [];
  for (let run = 0; run < 2; run++) {
    const project = projectFor(t);
    project.write("w.yaml", WORKFLOW.replace("max: 0", "max: 1"));
    await withStandIns(project, ["run", "w.yaml"], { work: { text: "no", session: "s" } });
    folders.push([1, 2].map((attempt) => attemptFolder(project, project.onlyRun(), "work", attempt)));
  }
  assert.deepEqual(folders[0], folders[1]);
});
