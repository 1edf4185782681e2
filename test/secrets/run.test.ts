import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import { formsOf } from "../../src/secrets/forms.ts";
import { hold, killEngine, letGo, needsLinux, processOf, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { gone, kill } from "../rig/processes.ts";
import { type Project, projectFor } from "../rig/project.ts";

/** With characters that every encoding has to do something about. */
const SECRET = `hunter2/is "no" p@ss+word's $HOME é\\ 100%`;
const KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END KEY-----";
const GIVEN = { WF_SECRET_TOKEN: SECRET, WF_SECRET_KEY: KEY };
const HEAD = `inputs:
  token: { type: string, secret: true }
  key: { secret: true }
  maybe: { secret: true, optional: true }
`;

/** Everything below a folder: each file's bytes, each name, where each link leads. No form may be in any of them. */
function assertNowhere(folder: string, values: readonly string[] = [SECRET, KEY]): void {
  const forms = values.flatMap((value) => formsOf(value).map((form) => Buffer.from(form)));
  const holds = (bytes: Buffer) => forms.find((form) => bytes.includes(form));
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    const places: [string, Buffer][] = [["its name", Buffer.from(name)]];
    if (entry.isFile()) places.push(["it", fs.readFileSync(path)]);
    if (entry.isSymbolicLink()) places.push(["its target", Buffer.from(fs.readlinkSync(path))]);
    for (const [what, bytes] of places) {
      const found = holds(bytes);
      assert.equal(found && Buffer.from(found).toString(), undefined, `${what} holds a secret: ${name}`);
    }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks into records without repeating their types.
function attempt(project: Project, step: string, n = 1): { read(name: string): string; record: any } {
  const dir = join(project.onlyRun(), `steps/${step}/attempt-${n}`);
  const read = (name: string) => fs.readFileSync(join(dir, name), "utf8");
  return { read, record: JSON.parse(read("attempt.json")) };
}

async function run(project: Project, steps: string, env: Record<string, string> = GIVEN) {
  return project.wf(["run", project.write("w.yaml", `id: w\n${HEAD}${steps}`)], { env });
}

describe("a secret given to a run is found nowhere in its folder", { skip: needsLinux }, () => {
  test("when a step prints it, in every way", async (t) => {
    const project = projectFor(t);
    const ended = await run(
      project,
      `env: { BEARER: "Bearer {{inputs.token}}" }
steps:
  - id: print
    env: { OWN: "<{{inputs.token}}>", BASH_OWN: "{{inputs.token}}" }
    run: |
      echo "{{inputs.token}} $BEARER $OWN $BASH_OWN $WF_INPUT_TOKEN" | tee /dev/stderr
      echo "$WF_INPUT_KEY"
      printf %s "$WF_INPUT_KEY" | while IFS= read -r line; do echo "key> $line"; done
      i=1; while [ $i -le 60 ]; do printf %s "$OWN" | cut -b $i | tr -d '\\n'; i=$((i+1)); done
      head -c 65530 /dev/zero | tr '\\0' x; echo "$OWN"
      printf %s "$WF_INPUT_TOKEN" | base64
      printf "user:%s" "$WF_INPUT_TOKEN" | base64 -w 0
      printf %s "$WF_INPUT_KEY" | base64
      printf %s "$WF_INPUT_TOKEN" | od -An -tx1 | tr -d ' \\n'
      node -p 'const t = process.env.WF_INPUT_TOKEN; [encodeURIComponent(t), new URLSearchParams({ t }), JSON.stringify({ t })].join()'
      env
      set -x
      : "$WF_INPUT_TOKEN"
`,
    );
    assert.equal(ended.code, 0, ended.stderr);
    assertNowhere(project.runsDir);
    const { read } = attempt(project, "print");
    assert.match(
      read("stdout.log"),
      /^\*\*\* Bearer \*\*\* <\*\*\*> \*\*\* \*\*\*\n\*\*\*\nkey> \*\*\*\nkey> \*\*\*\n/,
    );
    assert.match(read("stdout.log"), /x<\*\*\*>\n\*\*\*\n/);
    assert.match(read("stderr.log"), /^\*\*\* Bearer \*\*\*/);
    assert.doesNotMatch(read("stdout.log"), /WF_SECRET|WF_MASK/);
    assert.deepEqual(readRun(project.onlyRun()).inputs, {
      token: { $secret: "token" },
      key: { $secret: "key" },
      maybe: null,
    });
  });

  test("when a step writes it to its outputs, its summary and its artifacts", async (t) => {
    const project = projectFor(t);
    const ended = await run(
      project,
      `steps:
  - id: write
    output_files: { report: report.txt }
    outputs: [report, value]
    run: |
      echo "value=[$WF_INPUT_TOKEN]" >> "$WF_OUTPUT"
      printf 'key<<E\\n%s\\nE\\n' "$WF_INPUT_KEY" >> "$WF_OUTPUT"
      echo "# $WF_INPUT_TOKEN" > "$WF_STEP_SUMMARY"
      echo "report: $WF_INPUT_TOKEN" > "$WF_OUTPUT_REPORT"
      chmod 700 "$WF_OUTPUT_REPORT"
      echo x > "$WF_OUTPUTS/$(printf %s "$WF_INPUT_TOKEN" | base64 -w 0 | tr / _).txt"
      echo "$WF_INPUT_TOKEN" > "$WF_ATTEMPT_DIR/beside"
  - id: use
    run: echo "{{steps.write.outputs.value}}"; cat "{{steps.write.outputs.report}}"
`,
    );
    assert.equal(ended.code, 0, ended.stderr + ended.stdout);
    assertNowhere(project.runsDir);
    const { record, read } = attempt(project, "write");
    assert.deepEqual(record.outputs.value, { value: "[***]" });
    assert.deepEqual(record.outputs.key, { value: "***" });
    assert.equal(record.outputs.report.bytes, "report: ***\n".length);
    assert.equal(read("outputs/***.txt"), "x\n");
    assert.equal(attempt(project, "use").read("stdout.log"), "[***]\nreport: ***\n");
    const security = readJournal(project.onlyRun()).filter(({ event }) => event === "security");
    assert.deepEqual(
      security.map(({ what }) => what),
      ["a secret stood in a file's name: it is outputs/***.txt now"],
    );
  });

  test("when a step puts it into a file that is no text: the attempt fails", async (t) => {
    const project = projectFor(t);
    const ended = await run(
      project,
      `steps:
  - id: pack
    retry: { max: 2 }
    output_files: { bin: data.bin }
    run: printf 'a\\0%s' "$WF_INPUT_TOKEN" > "$WF_OUTPUT_BIN"
`,
    );
    assert.equal(ended.code, 1);
    assertNowhere(project.runsDir);
    const { record } = attempt(project, "pack");
    assert.equal(record.error.code, "SECRET_IN_OUTPUT");
    assert.match(record.error.message, /outputs\/data\.bin/);
    assert.deepEqual(fs.readdirSync(join(project.onlyRun(), "steps/pack")), ["attempt-1"]);
  });

  test("when a step fails with it, is stopped with it, or fails in its outputs with it", async (t) => {
    const project = projectFor(t);
    const ended = await run(
      project,
      `limits: { max_parallel: 3 }
on_failure: continue
steps:
  - { id: fails, needs: [], run: 'echo "value=$WF_INPUT_TOKEN" >> $WF_OUTPUT; echo "$WF_INPUT_TOKEN: not found" >&2; exit 3' }
  - { id: hangs, needs: [], timeout: 1s, run: 'echo "$WF_INPUT_TOKEN" | tee $WF_STEP_SUMMARY; sleep 60' }
  - { id: bad, needs: [], run: 'echo "not a line $WF_INPUT_TOKEN" >> $WF_OUTPUT' }
  - { id: gone, needs: [], run: '"/bin/$WF_INPUT_TOKEN"' }
`,
    );
    assert.equal(ended.code, 1);
    assertNowhere(project.runsDir);
    assert.doesNotMatch(ended.stdout + ended.stderr, /hunter2/);
    assert.equal(attempt(project, "fails").record.exitCode, 3);
    assert.equal(attempt(project, "hangs").record.status, "timed_out");
    assert.equal(attempt(project, "hangs").read("summary.md"), "***\n");
    assert.equal(attempt(project, "bad").record.error.code, "OUTPUT_SYNTAX");
    assert.equal(attempt(project, "gone").record.exitCode, 127);
  });

  test("when a value with it in it is too large for a variable", async (t) => {
    const project = projectFor(t);
    const ended = await run(
      project,
      `steps:
  - id: big
    run: head -c 99000 /dev/zero | tr '\\0' x > "$WF_OUTPUTS.big"; { printf big=; cat "$WF_OUTPUTS.big"; echo; } >> "$WF_OUTPUT"
  - id: both
    env: { ALL: "{{inputs.token}}{{steps.big.outputs.big}}" }
    run: echo "$ALL"
`,
    );
    assert.equal(ended.code, 1);
    assertNowhere(project.runsDir);
    assert.equal(attempt(project, "both").record.error.code, "TEMPLATE_ERROR");
    assert.equal(fs.existsSync(join(project.onlyRun(), "steps/both/attempt-1/values")), false);
  });

  test("when the engine is killed while the step runs, and another takes the result", async (t) => {
    const project = projectFor(t);
    const text = `id: held\n${HEAD}steps:
  - id: held
    run: |
      ${hold('echo "after $WF_INPUT_TOKEN"; echo "answer=$WF_INPUT_TOKEN" >> "$WF_OUTPUT"')}
  - id: last
    run: echo "{{steps.held.outputs.answer}} $WF_INPUT_KEY"
`;
    for (const isAdopted of [true, false]) {
      const engine = project.start(["run", project.write("held.yaml", text)], { env: GIVEN });
      await untilAtWork(project, "held");
      const runDir = await project.untilRun();
      await killEngine({ engine, runDir });
      const resumed = isAdopted ? project.start(["resume", runDir], { env: GIVEN }) : undefined;
      letGo(project, "held");
      if (!resumed) await gone(await processOf(runDir, "held"));
      const ended = await (resumed?.ended ?? project.wf(["resume", runDir], { env: GIVEN }));
      assert.equal(ended.code, 0, ended.stderr);
      assertNowhere(runDir);
      assert.match(attempt(project, "held").read("stdout.log"), /^after \*\*\*$/m);
      assert.equal(attempt(project, "last").read("stdout.log"), "*** ***\n");
      fs.rmSync(runDir, { recursive: true });
      for (const name of ["effects", "go-held"]) fs.rmSync(project.path(name), { force: true });
    }
  });

  test("when all die in the middle, what the step had left is scrubbed by the next engine", async (t) => {
    const project = projectFor(t);
    const text = `id: held\n${HEAD}steps:
  - id: held
    run: |
      echo "$WF_INPUT_TOKEN" | tee "$WF_STEP_SUMMARY"; echo "a=$WF_INPUT_TOKEN" > "$WF_OUTPUT"
      ${hold()}
`;
    const engine = project.start(["run", project.write("held.yaml", text)], { env: GIVEN });
    await untilAtWork(project, "held");
    kill([engine.pid, ...project.processes().map(({ pid }) => pid)]);
    await project.quiet();
    letGo(project, "held");
    const ended = await project.wf(["resume", project.onlyRun()], { env: GIVEN });
    assert.equal(ended.code, 0, ended.stderr);
    assertNowhere(project.runsDir);
    assert.equal(attempt(project, "held").record.status, "interrupted");
    assert.equal(attempt(project, "held").read("summary.md"), "***\n");
  });
});

describe("secrets are asked for", () => {
  test("at the start: nothing is written without them, or with what can not be one", async (t) => {
    const project = projectFor(t);
    const steps = "steps:\n  - { id: a, run: 'true' }\n";
    for (const [env, code] of [
      [{}, "SECRET_MISSING"],
      [{ ...GIVEN, WF_SECRET_KEY: "" }, "SECRET_MISSING"],
      [{ ...GIVEN, WF_SECRET_KEY: "seven77" }, "SECRET_TOO_SHORT"],
      [{ ...GIVEN, WF_SECRET_KEY: "x".repeat(70_000) }, "INPUT_INVALID"],
    ] as const) {
      const refused = await run(project, steps, env);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, new RegExp(`\\[${code}\\]`));
      assert.doesNotMatch(refused.stderr, /hunter2|seven77/);
    }
    assert.deepEqual(project.runDirs(), []);
  });

  test("at each resume, before anything is written", async (t) => {
    const project = projectFor(t);
    await run(project, "steps:\n  - { id: a, run: 'echo $WF_INPUT_TOKEN; test -e ok' }\n");
    const before = fs.readFileSync(join(project.onlyRun(), "progress.ndjson"), "utf8");
    const refused = await project.wf(["resume", project.onlyRun()]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /\[SECRET_MISSING\]/);
    assert.equal(fs.readFileSync(join(project.onlyRun(), "progress.ndjson"), "utf8"), before);
    assert.deepEqual(fs.readdirSync(join(project.onlyRun(), "lock")).sort(), ["free-1", "owner-1.json"]);
    project.write("ok", "");
    const resumed = await project.wf(["resume", project.onlyRun()], { env: GIVEN });
    assert.equal(resumed.code, 0, resumed.stderr);
    assertNowhere(project.runsDir);
  });

  test("an optional one that was not given at the start is not taken later either", async (t) => {
    const project = projectFor(t);
    await run(project, "steps:\n  - { id: a, run: 'echo \"<$WF_INPUT_MAYBE>\"; test -e ok' }\n");
    project.write("ok", "");
    const env = { ...GIVEN, WF_SECRET_MAYBE: "now it is here" };
    assert.equal((await project.wf(["resume", project.onlyRun()], { env })).code, 0);
    assert.equal(attempt(project, "a", 2).read("stdout.log"), "<>\n");
  });

  test("a run without secrets has no process between, and gets none of the variables", async (t) => {
    const project = projectFor(t);
    const file = project.write("w.yaml", "id: w\nsteps:\n  - id: a\n    run: env; ps -o args= -p $PPID\n");
    assert.equal((await project.wf(["run", file], { env: GIVEN })).code, 0);
    assert.doesNotMatch(attempt(project, "a").read("stdout.log"), /WF_SECRET|hunter2|mask/);
  });
});
