import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { test } from "node:test";
import { findSecrets } from "../../src/review/fixture-secrets.ts";
import { Secrets } from "../../src/secrets/secrets.ts";
import { Rig } from "../cli/rig.ts";
import { checkOutput } from "../cli/schemas.ts";

const FLOW = `id: small
description: Two steps, one of which | may be skipped
inputs:
  name: { type: string, default: world }
  loud: { type: boolean, default: false }
steps:
  - id: greet
    run: |
      echo "hello, {{inputs.name}}"
      echo "greeting=hello" >> "$WF_OUTPUT"
      echo note > "$WF_OUTPUT_NOTE"
    output_files: { note: note.txt }
  - id: shout
    when: inputs.loud
    run: echo LOUD
outputs:
  greeting: '{{steps.greet.outputs.greeting}}'
`;

/** A run of it, and its fixture in `fx`. */
async function saved(rig: Rig): Promise<void> {
  rig.write("flows/small.yaml", FLOW);
  assert.equal((await rig.wf(["run", "flows/small.yaml", "--run-id", "r"])).code, 0);
  const { code, stderr } = await rig.wf(["fixture", "save", "r", "fx"]);
  assert.equal(code, 0, stderr);
}

function filesOf(rig: Rig, folder: string): string[] {
  return readdirSync(rig.path(folder), { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(rig.path(folder, path)).isFile())
    .sort();
}

test("save writes the canonical form of a run, and a page about it", async (t) => {
  const rig = new Rig(t);
  rig.write("flows/small.yaml", FLOW);
  await rig.wf(["run", "flows/small.yaml", "--run-id", "r"]);
  const { code, stdout, stderr } = await rig.wf(["fixture", "save", "r", "fx"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    stdout.replace(/\d+ bytes/, "<size>"),
    "fx: 9 files, <size>\n\nlook at it, then commit it; wf fixture check fx is its test\n",
  );
  assert.deepEqual(filesOf(rig, "fx"), [
    "README.md",
    "progress.ndjson",
    "run.json",
    "steps/greet/attempt-1/attempt.json",
    "steps/greet/attempt-1/output",
    "steps/greet/attempt-1/outputs/note.txt",
    "steps/greet/attempt-1/script.sh",
    "steps/greet/attempt-1/stdout.log",
    "workflow.yaml",
  ]);
  assert.equal(
    rig.read("fx/README.md"),
    `# A run of \`small\`

Two steps, one of which \\| may be skipped

It **succeeded** after 1 attempt.

| input | value |
|---|---|
| \`name\` | \`world\` |
| \`loud\` | \`false\` |

| step | status | attempts | what came of it |
|---|---|---|---|
| \`greet\` | succeeded | 1 | note = \`steps/greet/attempt-1/outputs/note.txt (5 bytes)\`<br>greeting = \`hello\` |
| \`shout\` | skipped | 0 | when is false: inputs.loud |

\`\`\`mermaid
flowchart TD
  s0["greet"]:::succeeded
  s1["shout<br/>when inputs.loud"]:::skipped
  done((done))
  s0 --> s1
  s1 -->|skipped| done
  classDef succeeded fill:#d3f9d8,stroke:#2b8a3e,color:#000
  classDef skipped fill:#f1f3f5,stroke:#868e96,color:#495057,stroke-dasharray:4
\`\`\`

| output | value |
|---|---|
| \`greeting\` | \`hello\` |

Made by \`wf fixture save\`. \`wf fixture check\` drives the workflow against it without running anything; \`wf fixture update\` takes over changed scripts and prompts.
`,
  );
  const again = await rig.json(["fixture", "save", "r", "other"]);
  checkOutput("fixture", again.value);
  assert.deepEqual(filesOf(rig, "other"), filesOf(rig, "fx"));
  const taken = await rig.wf(["fixture", "save", "r", "fx"]);
  assert.deepEqual(taken, {
    code: 2,
    stdout: "",
    stderr: `wf: ${rig.path("fx")} is there and not empty   [USAGE]\n    name a folder that does not exist, or an empty one\n`,
  });
});

test("a run that has not ended is no fixture", async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: w\nsteps:\n  - { id: ask, message: 'Well?' }\n");
  await rig.wf(["run", "w.yaml", "--run-id", "r"]);
  assert.deepEqual(await rig.wf(["fixture", "save", "r", "fx"]), {
    code: 2,
    stdout: "",
    stderr:
      "wf: .wf/runs/r has not ended: a fixture is a whole run   [WRONG_STATE]\n    wf status says what it waits for\n",
  });
  assert.equal(readdirSync(rig.dir).includes("fx"), false);
});

/** Put together here, so that nobody who looks for secrets finds one in this file. */
const GITHUB = ["ghp", "_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].join("");
const KEY = ["-----BEGIN", "OPENSSH PRIVATE", "KEY-----"].join(" ");

test("what looks like a secret is listed with its place, never shown, and nothing is written", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "leak.yaml",
    `id: leak
steps:
  - id: a
    run: |
      printf '%s\\n' one ${GITHUB.slice(0, 10)}"${GITHUB.slice(10)}"
      printf '%s\\n' '${KEY}' > "$WF_OUTPUT_KEY"
    output_files: { key: key.pem }
  - id: b
    run: printf 'DB_PASSWORD=%s%s\\n' x7Kq9 Lm2Pz4Rt >&2
`,
  );
  await rig.wf(["run", "leak.yaml", "--run-id", "r"]);
  const { code, stdout, stderr } = await rig.wf(["fixture", "save", "r", "fx"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.equal(
    stderr,
    `wf: .wf/runs/r can not be a fixture: line 6 of workflow.yaml looks like a private key   [FIXTURE_REFUSED]
wf: line 2 of steps/a/attempt-1/script.sh looks like a private key   [FIXTURE_REFUSED]
wf: line 2 of steps/a/attempt-1/stdout.log looks like a GitHub token   [FIXTURE_REFUSED]
wf: line 1 of steps/a/attempt-1/outputs/key.pem looks like a private key   [FIXTURE_REFUSED]
wf: line 1 of steps/b/attempt-1/stderr.log looks like a value that looks drawn at random, after a name like token or password   [FIXTURE_REFUSED]
    keep it from being printed, make it a secret input, or name it under redact: in the workflow
`,
  );
  assert.equal(readdirSync(rig.dir).includes("fx"), false);
});

test("a secret of the run is found in whatever form it is, and what redact names is gone", async (t) => {
  const rig = new Rig(t);
  const text =
    "id: s\nredact: ['id-[0-9]+']\ninputs:\n  key: { secret: true }\nsteps:\n  - { id: a, run: 'cat given; echo id-4711' }\n";
  rig.write("s.yaml", text);
  rig.write("given", Buffer.from("correct horse battery").toString("base64"));
  // It was not given as a secret to the run, which so could not mask it.
  const env = { WF_SECRET_KEY: "another secret of the run" };
  await rig.wf(["run", "s.yaml", "--run-id", "r"], { env });
  rig.write("key", "correct horse battery");
  const refused = await rig.wf(["fixture", "save", "r", "fx", "--secret", "key=@key"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /line 1 of steps\/a\/attempt-1\/stdout\.log looks like a secret of the run/);
  const fromEnv = await rig.wf(["fixture", "save", "r", "fx"], {
    env: { WF_SECRET_KEY: "correct horse battery" },
  });
  assert.equal(fromEnv.code, 2);
  assert.equal((await rig.wf(["fixture", "save", "r", "fx"])).code, 0);
  assert.match(rig.read("fx/steps/a/attempt-1/stdout.log"), /<redacted>/);
});

test("token shapes are found, and words, digests and placeholders are not", () => {
  const found = (text: string) =>
    findSecrets([{ path: "f", text }], new Secrets(new Map())).map(({ what }) => what);
  const like = (...parts: string[]) => found(parts.join(""));
  assert.deepEqual(like("AKIA", "IOSFODNN7EXAMPLE"), ["a key of AWS"]);
  assert.deepEqual(like("github_pat_", "11ABCDEFG0aBcDeFgHiJkL_x"), ["a GitHub token"]);
  assert.deepEqual(like("glpat-", "aBcDeFgHiJ0123456789"), ["a GitLab token"]);
  assert.deepEqual(like("npm_", "a".repeat(36)), ["a token of npm"]);
  assert.deepEqual(like("xoxb-", "123456789012-abcdef"), ["a token of Slack"]);
  assert.deepEqual(like("sk_live_", "a1b2c3d4e5f6g7h8"), ["a key of Stripe"]);
  assert.deepEqual(like("AIza", "B".repeat(35)), ["a key of Google"]);
  assert.deepEqual(like("sk-ant-", "api03-", "x".repeat(30)), ["a key of a model's provider"]);
  assert.deepEqual(like("eyJhbGciOiJI", ".", "eyJzdWIiOiIx", ".", "SflKxwRJSMeK"), ["a signed token (JWT)"]);
  assert.deepEqual(like("https://ann:", "tops3cret", "@example.org/x.git"), ["a password in an address"]);
  assert.deepEqual(like("Authorization: Bearer ", "abcdef0123456789abcdef"), ["an authorization"]);
  const named = ["a value that looks drawn at random, after a name like token or password"];
  assert.deepEqual(like('{"api_key": "', "q8Zt3LmN0pXw", '"}'), named);
  assert.deepEqual(like("export NPM_TOKEN=", "Zx81Qw93Er75Ty"), named);
  for (const harmless of [
    "token: the-one-from-the-registry",
    "password = {{inputs.password}} and token=$NPM_TOKEN, secret=$(cat ~/secret-1A2b3C4d5E)",
    '"npm_token":{"$secret":"npm_token"}',
    `"sha256":"${"0123456789abcdef".repeat(4)}"`,
    "https://example.org:8080/@scope/package",
    "tokens: 200000, max_tokens=1234567890",
    "passwordless authentication",
    "secret: <redacted>, token: ***",
    "task-runner-for-everything-and-more",
  ]) {
    assert.deepEqual(found(harmless), [], harmless);
  }
});

test("check says what is sound, and of what is not all that was found", async (t) => {
  const rig = new Rig(t);
  await saved(rig);
  assert.deepEqual(await rig.wf(["fixture", "check", "fx"]), {
    code: 0,
    stdout: "fx: sound, succeeded\n",
    stderr: "",
  });
  await rig.wf(["fixture", "save", "r", "bad"]);
  rig.write("bad/steps/greet/attempt-1/outputs/note.txt", "nota\n");
  rig.write("bad/run.json", rig.read("bad/run.json").replace('"iterations": 1', '"iterations": 2'));
  rig.write(
    "bad/steps/greet/attempt-1/attempt.json",
    rig.read("bad/steps/greet/attempt-1/attempt.json").replace('"exitCode": 0', '"exitCode": 3'),
  );
  appendFileSync(rig.path("bad/steps/greet/attempt-1/stdout.log"), `${GITHUB}\n`);
  rig.write("flows/small.yaml", FLOW.replace("when: inputs.loud", "when: '!inputs.loud'"));
  const { code, stdout } = await rig.wf(["fixture", "check", "fx", "bad", "--workflow", "flows/small.yaml"]);
  assert.equal(code, 1);
  assert.equal(
    stdout,
    `fx: 1 difference
  flows/small.yaml:14  shout runs, and was skipped   [path]
      expected  skipped: when is false: inputs.loud
      actual    it runs

bad: 5 findings, 1 difference
  steps/greet/attempt-1/stdout.log:2  it looks like a GitHub token   [secret]
  run.json  its iterations is not what the journal says   [integrity]
  steps/greet/attempt-1/attempt.json  it is not what the journal says   [integrity]
  steps/greet/attempt-1/outputs/note.txt  its size and digest are not those that were recorded   [integrity]
  README.md  it is not what this fixture's page says; wf fixture update writes it anew   [page]
  flows/small.yaml:14  shout runs, and was skipped   [path]
      expected  skipped: when is false: inputs.loud
      actual    it runs

2 fixtures: 0 sound, 2 not
`,
  );
  const { value } = await rig.json(["fixture", "check", "fx", "bad"]);
  checkOutput("fixture", value);
});

const DAMAGES: readonly (readonly [
  what: string,
  file: string,
  change: (text: string) => string,
  found: RegExp,
])[] = [
  [
    "a line that is no JSON",
    "progress.ndjson",
    (text) => `${text}{"event"\n`,
    /line 9 of progress\.ndjson: it does not begin with its event {3}\[format\]/,
  ],
  [
    "an event nobody knows",
    "progress.ndjson",
    (text) => text.replace('"exitCode":0', '"exitCode":"0"'),
    /progress\.ndjson {2}line 4: .+\[integrity\]/,
  ],
  [
    "a line that is gone",
    "progress.ndjson",
    (text) => text.replace(/.*attempt_started.*\n/, ""),
    /greet ended without having started {3}\[integrity\]/,
  ],
  [
    "another definition",
    "workflow.yaml",
    (text) => `${text}# later\n`,
    /workflow\.yaml {2}it is not the definition of the recorded digest/,
  ],
  [
    "no definition",
    "workflow.yaml",
    () => "id: x\n",
    /workflow\.yaml is not a workflow that this version reads/,
  ],
  [
    "another status",
    "run.json",
    (text) => text.replace('"status": "succeeded",\n  "reason"', '"status": "failed",\n  "reason"'),
    /run\.json {2}its status is not what the journal says/,
  ],
  [
    "another script",
    "steps/greet/attempt-1/script.sh",
    (text) => `${text}exit 3\n`,
    /greet, attempt 1, has another script {3}\[script\]/,
  ],
];

for (const [what, file, change, found] of DAMAGES) {
  test(`check finds ${what}`, async (t) => {
    const rig = new Rig(t);
    await saved(rig);
    const text = rig.read(`fx/${file}`);
    assert.notEqual(change(text), text);
    rig.write(`fx/${file}`, change(text));
    const { code, stdout, stderr } = await rig.wf(["fixture", "check", "fx"]);
    assert.deepEqual([code, stderr], [1, ""]);
    assert.match(stdout, found);
  });
}

test("check finds a file that is gone, and an attempt that nobody made", async (t) => {
  const rig = new Rig(t);
  await saved(rig);
  rmSync(rig.path("fx/steps/greet/attempt-1/outputs/note.txt"));
  rmSync(rig.path("fx/steps/greet/attempt-1/script.sh"));
  rig.write("fx/steps/greet/attempt-2/stdout.log", "x\n");
  const { code, stdout } = await rig.wf(["fixture", "check", "fx"]);
  assert.equal(code, 1);
  assert.match(stdout, /note\.txt {2}it is missing, and is the output note of greet {3}\[integrity\]/);
  assert.match(stdout, /steps\/greet\/attempt-2 {2}the journal knows no such attempt {3}\[integrity\]/);
  assert.match(stdout, /the record has no script\.sh of greet, attempt 1 {3}\[script\]/);
  mkdirSync(rig.path("empty"));
  assert.deepEqual(await rig.wf(["fixture", "check", "empty"]), {
    code: 2,
    stdout: "",
    stderr:
      "wf: empty is no fixture   [RUN_NOT_FOUND]\n    wf fixture save RUN DIR makes one of a run; wf fixture list lists them\n",
  });
});

test("update takes over what steps are given, never under CI, and refuses another way", async (t) => {
  const rig = new Rig(t);
  await saved(rig);
  assert.deepEqual(await rig.wf(["fixture", "update", "fx"]), {
    code: 0,
    stdout: "fx: nothing to update (flows/small.yaml)\n",
    stderr: "",
  });
  rig.write(
    "flows/small.yaml",
    FLOW.replace('"hello, {{', '"welcome, {{').replace("Two steps", "Two small steps"),
  );
  const before = rig.read("fx/workflow.yaml");
  const inCi = await rig.wf(["fixture", "update", "fx"], { env: { CI: "true" } });
  assert.deepEqual(inCi, {
    code: 2,
    stdout: "",
    stderr:
      "wf: wf fixture update writes nothing under CI: a test would mend itself   [USAGE]\n    update it where it can be looked at, and commit it\n",
  });
  assert.equal(rig.read("fx/workflow.yaml"), before);
  assert.equal(
    (await rig.wf(["fixture", "update", "fx"])).stdout,
    `fx: 5 files updated (flows/small.yaml)
  progress.ndjson
  run.json
  steps/greet/attempt-1/script.sh
  workflow.yaml
  README.md
`,
  );
  const args = ["fixture", "check", "fx", "--workflow", "flows/small.yaml"];
  assert.equal((await rig.wf(args)).stdout, "fx: sound, succeeded\n");
  rig.write("flows/small.yaml", FLOW.replace("when: inputs.loud", "when: '!inputs.loud'"));
  const refused = await rig.wf(["fixture", "update", "fx"]);
  assert.deepEqual(refused, {
    code: 2,
    stdout: "",
    stderr: `wf: fx needs a new run, and wf fixture save RUN DIR: ${rig.path("flows/small.yaml")}:14: shout runs, and was skipped   [FIXTURE_REFUSED]\n`,
  });
  assert.equal((await rig.wf(["fixture", "check", "fx"])).code, 0);
  const { value } = await rig.json(["fixture", "update", "fx", "--workflow", "fx/workflow.yaml"]);
  checkOutput("fixture", value);
  assert.deepEqual(value.updated.changed, []);
});

test("list finds the fixtures below a folder", async (t) => {
  const rig = new Rig(t);
  await saved(rig);
  await rig.wf(["fixture", "save", "r", "fixtures/runs/two"]);
  assert.equal(
    (await rig.wf(["fixture", "list"])).stdout,
    `FIXTURE            WORKFLOW  STATUS     STEPS  ATTEMPTS
fixtures/runs/two  small     succeeded  2      1
`,
  );
  const { value } = await rig.json(["fixture", "list", "fx", "fixtures"]);
  checkOutput("fixture", value);
  assert.equal(value.fixtures.length, 2);
  assert.equal((await rig.wf(["fixture", "list", "flows"])).stdout, "no fixtures in flows\n");
});

test("mistakes of usage", async (t) => {
  const rig = new Rig(t);
  const said = async (...args: string[]) => {
    const { code, stderr } = await rig.wf(["fixture", ...args]);
    assert.equal(code, 2);
    return stderr;
  };
  assert.match(await said("sav"), /^wf: wf fixture can not "sav" {3}\[USAGE\]\n {4}did you mean "save"\?/);
  assert.match(await said("save", "r"), /^wf: the usage is: wf fixture save RUN DIR /);
  assert.match(await said("check"), /^wf: the usage is: wf fixture check DIR… /);
  assert.match(await said("update", "a", "b"), /^wf: the usage is: wf fixture update DIR /);
  assert.match(await said("list", "--workflow", "x"), /^wf: wf fixture list takes no --workflow /);
});
