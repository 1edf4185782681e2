/* The real clients from the npm registry against a server of our own on loopback: `npm run test:agents`. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import type { AttemptRecord } from "../../src/core/event.ts";
import { attemptDir } from "../../src/store/layout.ts";
import { type Project, projectFor, type WfOptions } from "../rig/project.ts";
import { until } from "../rig/wait.ts";
import { type Server, startServer } from "./server.mjs";

const clients = process.env.WF_AGENT_CLIENTS ?? assert.fail("run it with `npm run test:agents`");
let server: Server;

before(async () => {
  server = await startServer();
});

after(() => server.close());

/** The clients talk to the server, in quiet, and keep their own files in the project. */
function options(project: Project): WfOptions {
  for (const name of ["home", "claude", "codex"]) fs.mkdirSync(project.path(name), { recursive: true });
  return {
    env: {
      PATH: `${join(clients, "node_modules/.bin")}:${process.env.PATH}`,
      HOME: project.path("home"),
      ANTHROPIC_BASE_URL: server.url,
      ANTHROPIC_API_KEY: "dummy",
      CLAUDE_CONFIG_DIR: project.path("claude"),
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      CLAUDE_CODE_MAX_RETRIES: "1",
      DISABLE_TELEMETRY: "1",
      DISABLE_ERROR_REPORTING: "1",
      DISABLE_AUTOUPDATER: "1",
      CODEX_HOME: project.path("codex"),
      STAND_IN_KEY: "dummy",
    },
  };
}

function codexArgs(): string {
  const provider = `{name="own",base_url="${server.url}/v1",wire_api="responses",env_key="STAND_IN_KEY",request_max_retries=0,stream_max_retries=0}`;
  const settings = [
    'model_provider="own"',
    `model_providers.own=${provider}`,
    "check_for_update_on_startup=false",
    "analytics.enabled=false",
  ];
  return JSON.stringify(settings.flatMap((setting) => ["-c", setting]));
}

const agents = () => `agents:
  claude: { provider: claude, model: claude-opus-4-1 }
  reader: { provider: claude, model: claude-opus-4-1, permissions: read }
  codex: { provider: codex, model: gpt-5.5, args: ${codexArgs()} }
  codex_reader: { provider: codex, model: gpt-5.5, permissions: read, args: ${codexArgs()} }
`;

/** A prompt that tells the model what to do in each attempt. */
const told = (...attempts: object[]) => {
  const tasks = Object.fromEntries(attempts.map((task, i) => [i + 1, task]));
  return JSON.stringify(`Do as you are told. [[attempt {{workflow.attempt}}: ${JSON.stringify(tasks)}]]`);
};
const saying = (values: object) => `So be it.\n[workflow_result]${JSON.stringify(values)}[/workflow_result]`;

function attempt(
  project: Project,
  step: string,
  number: number,
): AttemptRecord & { agent: Record<string, unknown> } {
  const dir = attemptDir(project.onlyRun(), { step, attempt: number });
  const read = (name: string) => JSON.parse(fs.readFileSync(join(dir, name), "utf8"));
  return { ...read("attempt.json"), agent: read("agent.json") };
}

async function run(t: TestContext, workflow: string, before?: (project: Project) => void) {
  const project = projectFor(t);
  project.write("w.yaml", `id: real\n${agents()}${workflow}`);
  before?.(project);
  const result = await project.wf(["run", "w.yaml"], options(project));
  await project.quiet();
  return { project, ...result };
}

test("plan, a review that rejects, a plan again, a review that approves, and a build; the clients write the files", async (t) => {
  const plan = (text: string) => ({ write: { "{{workflow.output_paths.plan}}": text } });
  const { project, code, stderr } = await run(
    t,
    `steps:
  - id: plan
    agent: claude
    prompt: ${told(plan("# Plan\n"), plan("# Plan\n\nWith tests.\n"))}
    output_files: { plan: plan.md }
  - id: review
    type: agent_review
    agent: codex_reader
    prompt: ${told({ say: saying({ decision: "reject", feedback: "There are no tests." }) }, { say: saying({ decision: "approve" }) })}
    on_reject: plan
  - id: build
    agent: codex
    prompt: ${told({ write: { "{{workflow.output_paths.report}}": "built\n", "made.txt": "made\n" }, say: saying({ files: 1 }) })}
    outputs: { files: { type: integer } }
    output_files: { report: report.md }
outputs:
  files: '{{steps.build.outputs.files}}'
`,
  );
  assert.equal(code, 0, stderr);
  const runDir = project.onlyRun();
  const text = (path: string) => fs.readFileSync(join(runDir, "steps", path), "utf8");
  assert.equal(text("plan/attempt-1/outputs/plan.md"), "# Plan\n");
  assert.equal(text("plan/attempt-2/outputs/plan.md"), "# Plan\n\nWith tests.\n");
  assert.match(text("plan/attempt-2/prompt.md"), /# Feedback of review\n\n.*\n\nThere are no tests\.\n$/);
  assert.equal(text("build/attempt-1/outputs/report.md"), "built\n");
  assert.equal(fs.readFileSync(project.path("made.txt"), "utf8"), "made\n");
  const decisions = [1, 2].map((n) => attempt(project, "review", n).decision);
  assert.deepEqual(decisions, ["reject", "approve"]);
  const { agent } = attempt(project, "plan", 1);
  const { usage, session } = agent.volatile as { usage: { tokens: number }; session: string };
  assert.ok(usage.tokens > 0 && session !== null, JSON.stringify(agent));
});

for (const [client, step, denied] of [
  ["claude", "reader", "Write"],
  ["codex", "codex_reader", "apply_patch"],
] as const) {
  test(`${client}: a tool that is denied`, async (t) => {
    const { project, code } = await run(
      t,
      `steps:
  - id: write
    agent: ${step}
    prompt: ${told({ write: { "{{workflow.output_paths.plan}}": "# Plan\n" }, say: "done" })}
    output_files: { plan: plan.md }
`,
    );
    const { error, agent } = attempt(project, "write", 1);
    assert.deepEqual(
      [code, error?.code, agent.failure, agent.denied],
      [1, "AGENT_DENIED", "denied", [denied]],
    );
    assert.equal(
      fs.existsSync(join(attemptDir(project.onlyRun(), { step: "write", attempt: 1 }), "outputs/plan.md")),
      false,
    );
    assert.equal(fs.existsSync(attemptDir(project.onlyRun(), { step: "write", attempt: 2 })), false);
  });
}

test("claude: the records of the run are out of its reach, the workspace is not", async (t) => {
  const { project, code } = await run(
    t,
    `steps:
  - id: write
    agent: claude
    prompt: ${told({ write: { "{{workflow.run_dir}}/run.json": "{}", "{{workflow.run_dir}}/steps/write/attempt-1/exit": "0", "own.txt": "x", "{{workflow.run_dir}}/../../other.yaml": "id: x" } })}
`,
  );
  assert.equal(code, 0);
  assert.equal(fs.existsSync(project.path(".wf/other.yaml")), false);
  assert.equal(fs.existsSync(project.path("own.txt")), true);
  assert.deepEqual(attempt(project, "write", 1).agent.denied, ["Write", "Write", "Write"]);
});

for (const [status, expected] of [
  [401, "AGENT_AUTH"],
  [500, "AGENT_SERVER"],
] as const) {
  for (const client of ["claude", "codex"] as const) {
    test(`${client}: a server that answers ${status}`, async (t) => {
      const { project, code } = await run(
        t,
        `steps:
  - { id: work, agent: failing, prompt: x, retry: { max: 1, delay: 0 } }
`,
        (project) => {
          const args = client === "codex" ? `, args: ${codexArgs()}` : "";
          const text = fs.readFileSync(project.path("w.yaml"), "utf8");
          const failing = `agents:\n  failing: { provider: ${client}, model: status-${status}${args} }`;
          project.write("w.yaml", text.replace("agents:", failing));
        },
      );
      assert.deepEqual([code, attempt(project, "work", 1).error?.code], [1, expected]);
      // Logging in does not come right by itself; a server may.
      assert.equal(
        fs.existsSync(attemptDir(project.onlyRun(), { step: "work", attempt: 2 })),
        status === 500,
      );
    });

    if (status === 500) continue;
    test(`${client}: a server that never answers`, async (t) => {
      const args = client === "codex" ? `, args: ${codexArgs()}` : "";
      const { project, code } = await run(
        t,
        `steps:
  - { id: work, agent: failing, prompt: x, timeout: 6s, retry: { max: 0 } }
`,
        (project) => {
          const text = fs.readFileSync(project.path("w.yaml"), "utf8");
          const failing = `agents:\n  failing: { provider: ${client}, model: hang${args} }`;
          project.write("w.yaml", text.replace("agents:", failing));
        },
      );
      const { status, error, agent } = attempt(project, "work", 1);
      assert.deepEqual([code, status, error?.code, agent.failure], [1, "timed_out", "TIMEOUT", "timeout"]);
    });
  }
}

for (const client of ["claude", "codex"] as const) {
  test(`${client}: wf is killed in the middle of a call; resume adopts it, and it is not called again`, async (t) => {
    const project = projectFor(t);
    const args = client === "codex" ? `, args: ${codexArgs()}` : "";
    project.write(
      "w.yaml",
      `id: real
agents:
  slow: { provider: ${client}, model: wait-${client}${args} }
steps:
  - id: work
    agent: slow
    prompt: ${told({ say: saying({ n: 1 }) })}
    outputs: { n: { type: integer } }
`,
    );
    const first = project.start(["run", "w.yaml"], options(project));
    await until(() => server.waiting() > 0, "the client to call");
    const called = server.calls.length;
    first.child.kill("SIGKILL");
    await first.ended;
    const calling = setInterval(() => server.release(), 50);
    try {
      const { code, stderr } = await project.wf(["resume", "latest"], options(project));
      assert.equal(code, 0, stderr);
    } finally {
      clearInterval(calling);
    }
    assert.deepEqual(attempt(project, "work", 1).outputs, { n: { value: 1 } });
    assert.ok(server.calls.length > called, "the client has gone on");
    assert.equal(fs.existsSync(attemptDir(project.onlyRun(), { step: "work", attempt: 2 })), false);
    await project.quiet();
  });
}
