import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readJournal, readRun } from "../rig/journal.ts";
import { type Project, projectFor, type Result } from "../rig/project.ts";
import { type Plan, withStandIns } from "./rig.ts";

const WORKBOOKS = new URL("../../fixtures/workflows/orchestrators/", import.meta.url);

type Plans = Readonly<Record<string, Plan | readonly Plan[]>>;

/** A project in which a workbook of the field lies as it is. */
function projectWith(t: TestContext, workbook: string): Project {
  const project = projectFor(t);
  fs.copyFileSync(fileURLToPath(new URL(workbook, WORKBOOKS)), project.path(workbook));
  return project;
}

/** Files and empty folders of a run, without its lock, which has more to say the longer a run takes. */
function treeOf(runDir: string): string[] {
  const found: string[] = [];
  for (const path of fs.readdirSync(runDir, { recursive: true, encoding: "utf8" })) {
    if (path === "lock" || path.startsWith("lock/")) continue;
    if (!fs.lstatSync(join(runDir, path)).isDirectory()) found.push(path);
    else if (fs.readdirSync(join(runDir, path)).length === 0) found.push(`${path}/`);
  }
  return found.sort();
}

const OF_A_RUN = ["control/", "progress.ndjson", "run.json", "workflow.yaml"];
const OF_AN_ATTEMPT = [
  "agent.json",
  "attempt.json",
  "context.json",
  "exit",
  "prompt.md",
  "stderr.log",
  "stdin.txt",
  "stdout.log",
];

/** What a run has to consist of: `attempts` maps a step to the outputs of each of its attempts. */
function treeWith(attempts: Readonly<Record<string, readonly (readonly string[])[]>>, more: string[] = []) {
  const files = Object.entries(attempts).flatMap(([step, all]) =>
    all.flatMap((outputs, i) =>
      [...OF_AN_ATTEMPT, ...outputs.map((path) => `outputs/${path}`)].map(
        (path) => `steps/${step}/attempt-${i + 1}/${path}`,
      ),
    ),
  );
  return [...OF_A_RUN, ...more, ...files].sort();
}

/** The texts of the output files of a step, as the run names them. */
function outputsOf(runDir: string, step: string): Record<string, string> {
  const outputs: Record<string, { file: string }> = readRun(runDir).steps[step].outputs;
  const texts = Object.entries(outputs).map(([key, { file }]) => [
    key,
    fs.readFileSync(join(runDir, file), "utf8"),
  ]);
  return Object.fromEntries(texts);
}

function prompt(runDir: string, step: string, attempt: number): string {
  return fs.readFileSync(join(runDir, `steps/${step}/attempt-${attempt}/prompt.md`), "utf8");
}

/** Which client was called for which attempt, in order. */
function calls(project: Project): string[] {
  return project.lines("calls.ndjson").map((line) => {
    const { client, step, attempt } = JSON.parse(line);
    return `${step}/${attempt} ${client}`;
  });
}

test("the smallest workbook: the client writes both files to the paths in its prompt", async (t) => {
  const project = projectWith(t, "minimal.orchestrator.yaml");
  const { code, stderr } = await withStandIns(
    project,
    ["run", "minimal.orchestrator.yaml", "--run-id", "r", "--input", "user_prompt=Say hello."],
    { generate: { write: { summary: "It was said.\n", result: "# Hello\n" } } },
  );
  assert.equal(code, 0, stderr);
  const run = project.onlyRun();
  assert.deepEqual(
    treeOf(run),
    treeWith({ generate: [["output/result__r__generate__a1.md", "output/summary__r__generate__a1.txt"]] }, [
      "workspace/",
    ]),
  );
  assert.deepEqual(outputsOf(run, "generate"), { summary: "It was said.\n", result: "# Hello\n" });
  const outputs = join(run, "steps/generate/attempt-1/outputs/output");
  assert.equal(
    prompt(run, "generate", 1),
    `Complete the request:
Say hello.
Instructions:
1. Read available prompt/context/input files first.
2. Execute the user request.
3. Follow the additional step requirements below.
4. When complete, write structured output to the exact path listed below.
Do not rely on stdout for structured output.
Required outputs schema:
{"summary":{"type":"string"},"result":{"type":"string"}}
Write outputs exactly to:
summary -> ${outputs}/summary__r__generate__a1.txt
result -> ${outputs}/result__r__generate__a1.md
`,
  );
  const [call] = project.lines("calls.ndjson").map((line) => JSON.parse(line));
  assert.deepEqual([call.client, call.cwd], ["claude", join(run, "workspace")]);
  assert.equal(call.args[call.args.indexOf("--model") + 1], "sonnet");
  assert.equal(call.stdin, fs.readFileSync(join(run, "steps/generate/attempt-1/stdin.txt"), "utf8"));
  const own = fileURLToPath(new URL("minimal.orchestrator.yaml", WORKBOOKS));
  assert.deepEqual(fs.readFileSync(join(run, "workflow.yaml")), fs.readFileSync(own));
});

test("the product workbook: the values of the envelope become the files", async (t) => {
  const project = projectWith(t, "product.orchestrator.yaml");
  const { code, stderr } = await withStandIns(
    project,
    ["run", "product.orchestrator.yaml", "--run-id", "r", "--input", "user_message=Where is my order?"],
    { answer: { result: { summary: "Answered.", artifact: "On its way." } } },
  );
  assert.equal(code, 0, stderr);
  const run = project.onlyRun();
  assert.deepEqual(
    treeOf(run),
    treeWith({ answer: [["product/artifact__r__answer__a1.txt", "product/summary__r__answer__a1.txt"]] }),
  );
  assert.deepEqual(outputsOf(run, "answer"), { summary: "Answered.\n", artifact: "On its way.\n" });
  assert.equal(prompt(run, "answer", 1), "Handle this product request:\nWhere is my order?\n");
  const [call] = project.lines("calls.ndjson").map((line) => JSON.parse(line));
  assert.deepEqual([call.client, call.cwd], ["claude", project.dir]);
});

const APPROVED = { result: { summary: "Fine.", decision: "approve" } };
const rejected = (feedback: string) => ({ result: { summary: "Not yet.", decision: "reject", feedback } });
const FEATURE: Plans = {
  clone: { write: { branch: "greet\n" } },
  plan: [1, 2, 3].map((n) => ({ write: { summary: `Plan ${n}.\n`, plan: `# Plan ${n}\n` } })),
  plan_review: APPROVED,
  build: [1, 2, 3].map((n) => ({ write: { changes: `+${n}\n` }, result: { summary: `Built ${n}.` } })),
  build_review: APPROVED,
  pull_request: { result: { url: "https://forge.example/1" } },
};

const runFeature = (project: Project, plans: Plans): Promise<Result> =>
  withStandIns(
    project,
    [
      ...["run", "feature.orchestrator.yaml", "--run-id", "r"],
      ...["--input", "repository=greeter.git", "--input", "request=Say hello."],
    ],
    { ...FEATURE, ...plans },
  );

/** What an attempt of each step of the larger workbook leaves. */
const left: Readonly<Record<string, (n: number) => string[]>> = {
  clone: (n) => [`clone/branch__r__clone__a${n}.txt`],
  plan: (n) => [`plan/plan__r__plan__a${n}.md`, `plan/summary__r__plan__a${n}.txt`],
  plan_review: (n) => [`review/summary__r__plan_review__a${n}.txt`],
  build: (n) => [`build/changes__r__build__a${n}.diff`, `build/summary__r__build__a${n}.txt`],
  build_review: (n) => [`review/summary__r__build_review__a${n}.txt`],
  pull_request: (n) => [`pull_request/url__r__pull_request__a${n}.txt`],
};

function featureTree(attempts: Readonly<Record<string, number>>): string[] {
  const of = ([step, count]: [string, number]) => [
    step,
    Array.from({ length: count }, (_, i) => left[step]?.(i + 1) ?? []),
  ];
  return treeWith(Object.fromEntries(Object.entries(attempts).map(of)), ["workspace/"]);
}

test("the larger workbook: through two approvals to the pull request", async (t) => {
  const project = projectWith(t, "feature.orchestrator.yaml");
  const { code, stderr } = await runFeature(project, {});
  assert.equal(code, 0, stderr);
  const run = project.onlyRun();
  assert.deepEqual(calls(project), [
    "clone/1 codex",
    "plan/1 claude",
    "plan_review/1 claude",
    "build/1 codex",
    "build_review/1 claude",
    "pull_request/1 codex",
  ]);
  assert.deepEqual(
    treeOf(run),
    featureTree({ clone: 1, plan: 1, plan_review: 1, build: 1, build_review: 1, pull_request: 1 }),
  );
  assert.deepEqual(outputsOf(run, "pull_request"), { url: "https://forge.example/1\n" });
  assert.deepEqual(outputsOf(run, "build"), { summary: "Built 1.\n", changes: "+1\n" });
  assert.deepEqual(readRun(run).steps.build_review.outputs.decision, { value: "approve" });
  assert.equal(
    prompt(run, "plan_review", 1),
    `Is this plan complete, and the smallest that does what is asked?
Request: Say hello.
Plan:
# Plan 1

Answer with \`decision\` approve or reject. With a rejection say in \`feedback\` what has to change.
{"summary":{"type":"string"},"decision":{"type":"string"},"feedback":{"type":"string"}}
`,
  );
  // A timeout longer than the workbook allows is cut, and the journal says so.
  const clamped = readJournal(run).filter(({ event }) => event === "limit_clamped");
  assert.deepEqual(
    clamped.map(({ step, limit, from, to }) => [step, limit, from, to]),
    [["build", "timeout_ms", 3_600_000, 1_800_000]],
  );
  await project.quiet();
});

test("the larger workbook: two rejections of the plan and one of the work, then approved", async (t) => {
  const project = projectWith(t, "feature.orchestrator.yaml");
  const { code, stderr } = await runFeature(project, {
    plan_review: [rejected("Too long."), rejected("Too short."), APPROVED],
    build_review: [rejected("No tests."), APPROVED],
  });
  assert.equal(code, 0, stderr);
  const run = project.onlyRun();
  assert.deepEqual(calls(project), [
    "clone/1 codex",
    "plan/1 claude",
    "plan_review/1 claude",
    "plan/2 claude",
    "plan_review/2 claude",
    "plan/3 claude",
    "plan_review/3 claude",
    "build/1 codex",
    "build_review/1 claude",
    "build/2 codex",
    "build_review/2 claude",
    "pull_request/1 codex",
  ]);
  assert.deepEqual(
    treeOf(run),
    featureTree({ clone: 1, plan: 3, plan_review: 3, build: 2, build_review: 2, pull_request: 1 }),
  );
  const ofPlan = (
    attempt: number,
    feedback: string,
  ) => `Plan this request, in steps that can be checked one by one:
Say hello.
What a review said about the plan before this one, if there was one:
${feedback}
Write outputs exactly to:
summary -> ${run}/steps/plan/attempt-${attempt}/outputs/plan/summary__r__plan__a${attempt}.txt
plan -> ${run}/steps/plan/attempt-${attempt}/outputs/plan/plan__r__plan__a${attempt}.md
`;
  assert.deepEqual(
    [1, 2, 3].map((attempt) => prompt(run, "plan", attempt)),
    [ofPlan(1, ""), ofPlan(2, "Too long."), ofPlan(3, "Too short.")],
  );
  assert.doesNotMatch(prompt(run, "build", 1), /No tests\./);
  assert.match(
    prompt(run, "build", 2),
    /^What a review said about the work before, if there was one:\nNo tests\.$/m,
  );
  // What was approved is what is built, and shown to the next review.
  assert.match(prompt(run, "build", 2), /^# Plan 3$/m);
  assert.match(prompt(run, "build_review", 2), /^\+2$/m);
  const attempts = readJournal(run)
    .filter(({ event }) => event === "attempt_ended")
    .map(({ record: { step, attempt, cause, next } }) => `${step}/${attempt} ${cause} -> ${next.to}`);
  assert.deepEqual(attempts, [
    "clone/1 first -> plan",
    "plan/1 first -> plan_review",
    "plan_review/1 first -> plan",
    "plan/2 rework -> plan_review",
    "plan_review/2 rework -> plan",
    "plan/3 rework -> plan_review",
    "plan_review/3 rework -> build",
    "build/1 first -> build_review",
    "build_review/1 first -> build",
    "build/2 rework -> build_review",
    "build_review/2 rework -> pull_request",
    "pull_request/1 first -> done",
  ]);
  assert.deepEqual(outputsOf(run, "pull_request"), { url: "https://forge.example/1\n" });
});

test("the larger workbook: a review that never approves ends at max_total_iterations, and goes on with more", async (t) => {
  const project = projectWith(t, "feature.orchestrator.yaml");
  const never = { plan_review: rejected("Again.") };
  const { code, stdout } = await runFeature(project, never);
  assert.equal(code, 1, stdout);
  const run = project.onlyRun();
  // 1 clone, 14 pairs, and a plan whose review was not started.
  assert.deepEqual(treeOf(run), featureTree({ clone: 1, plan: 15, plan_review: 14 }));
  const { status, reason, iterations } = readRun(run);
  assert.deepEqual([status, reason.code, iterations], ["failed", "ITERATION_LIMIT", 30]);
  assert.match(stdout, /^ {2}resume: {2}wf resume r --limit max_total_iterations=…$/m);

  const spent = await withStandIns(project, ["resume", "r"], FEATURE);
  assert.deepEqual([spent.code, spent.stderr.includes("[LIMIT_SPENT]")], [2, true]);
  assert.equal(calls(project).length, 30);

  const more = ["resume", "r", "--limit", "max_total_iterations=34"];
  assert.equal((await withStandIns(project, more, FEATURE)).code, 0);
  assert.deepEqual(calls(project).slice(30), [
    "plan_review/15 claude",
    "build/1 codex",
    "build_review/1 claude",
    "pull_request/1 codex",
  ]);
  assert.deepEqual(
    treeOf(run),
    featureTree({ clone: 1, plan: 15, plan_review: 15, build: 1, build_review: 1, pull_request: 1 }),
  );
  assert.equal(readRun(run).status, "succeeded");
});
