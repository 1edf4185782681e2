import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { projectFor } from "../rig/project.ts";
import { Repository } from "../rig/repository.ts";

const SMALL = {
  "small.yaml": `id: small
redact: ['took \\d+ ns']
steps:
  - id: greet
    run: |
      echo "hello from $WF_RUN_DIR as $WF_RUN_ID, took $(date +%N) ns"
      echo "note of $$" > noise; echo note > "$WF_OUTPUT_NOTE"
    output_files: { note: note.txt }
  - { id: last, run: echo last }
`,
};

const DEEP = {
  "deep.yaml": `id: deep
redact: ['took \\d+ ns']
steps:
  - id: ship
    foreach: [eu, us]
    workflow: parts/region.yaml
    with: { region: '{{item}}' }
  - { id: tell, run: 'echo "{{steps.ship.outputs.url}}"' }
`,
  "parts/region.yaml": `id: region
inputs: { region: { type: string } }
steps:
  - id: push
    run: |
      [ "{{inputs.region}}" = eu ] || sleep 0.$PACE
      echo "to {{inputs.region}} in $WF_RUN_DIR, took $(date +%N) ns"
      echo "log of $WF_RUN_ID" > "$WF_OUTPUT_LOG"
    output_files: { log: log.txt }
outputs: { url: 'https://{{inputs.region}}.example' }
`,
};

/** A repository whose fixture is made anew as often as it is asked for, with runs that are as unlike as they can be. */
class Reviewed extends Repository {
  #runs = 0;

  write(files: Readonly<Record<string, string>>): void {
    for (const [file, text] of Object.entries(files)) this.project.write(file, text);
  }

  async saveFixture(file: string): Promise<void> {
    const { project } = this;
    this.#runs += 1;
    const run = ["run", file, "--max-parallel", String(this.#runs)];
    const { code, stderr } = await project.wf(run, {
      env: { PACE: String(4 - this.#runs), TZ: "Asia/Tokyo" },
    });
    assert.equal(code, 0, stderr);
    fs.rmSync(project.path("fx"), { recursive: true, force: true });
    const saved = await project.wf(["fixture", "save", "latest", "fx"]);
    assert.equal(saved.code, 0, saved.stderr);
    fs.rmSync(project.path("noise"), { force: true });
    this.commit(`run ${this.#runs}`);
  }

  /** What the last commit changes of the fixture, as git shows it; only the lines that differ. */
  shown(): string {
    const text = this.git("diff", "--unified=0", "HEAD~1", "HEAD", "--", "fx").replace(/^index .*\n/gm, "");
    return text.replace(/[0-9a-f]{64}/g, "<sha256>");
  }
}

test("of a fixture a reviewer sees nothing of a rerun, and of a change no more than the change", async (t) => {
  const repository = new Reviewed(projectFor(t));
  repository.write(SMALL);
  await repository.saveFixture("small.yaml");
  await repository.saveFixture("small.yaml");
  assert.equal(repository.git("diff", "--stat", "HEAD~1", "HEAD"), "");
  repository.write({ "small.yaml": SMALL["small.yaml"].replace("echo last", "echo at last") });
  await repository.saveFixture("small.yaml");
  assert.equal(repository.shown(), OF_SMALL);
});

test("the same of one with nested runs: the change is shown in each of them, and nowhere else", async (t) => {
  const repository = new Reviewed(projectFor(t));
  repository.write(DEEP);
  await repository.saveFixture("deep.yaml");
  await repository.saveFixture("deep.yaml");
  assert.equal(repository.git("diff", "--stat", "HEAD~1", "HEAD"), "");
  const region = DEEP["parts/region.yaml"].replace('echo "to ', 'echo "sent to ');
  repository.write({ "parts/region.yaml": region });
  await repository.saveFixture("deep.yaml");
  assert.equal(repository.shown(), OF_DEEP);
});

/** What a changed definition is in the records of a run. */
function digests(folder: string, created: string, source: string): string {
  const line = `{"event":"run_created","format":"wf.run/1","workflow":{${created},"sha256":"<sha256>","source":"project:${source}"}`;
  const rest = `"limits":{"max_total_iterations":100},"options":{"durability":"power"}}`;
  const nested = /item-(\d)/.exec(folder);
  const inputs = `"inputs":{${nested ? `"region":"${nested[1] === "0" ? "eu" : "us"}"` : ""}}`;
  const parent = nested ? `"parent":{"step":"ship","item":${nested[1]},"attempt":1},` : "";
  return `diff --git a/${folder}/progress.ndjson b/${folder}/progress.ndjson
--- a/${folder}/progress.ndjson
+++ b/${folder}/progress.ndjson
@@ -1 +1 @@
-${line},${parent}${inputs},${rest}
+${line},${parent}${inputs},${rest}
diff --git a/${folder}/run.json b/${folder}/run.json
--- a/${folder}/run.json
+++ b/${folder}/run.json
@@ -7 +7 @@
-    "sha256": "<sha256>",
+    "sha256": "<sha256>",
`;
}

function changed(file: string, line: number, from: string, to: string, within = ""): string {
  return `diff --git a/${file} b/${file}
--- a/${file}
+++ b/${file}
@@ -${line} +${line} @@${within === "" ? "" : ` ${within}`}
-${from}
+${to}
`;
}

const OF_SMALL = [
  digests("fx", '"id":"small","file":"workflow.yaml"', "small.yaml"),
  changed("fx/steps/last/attempt-1/script.sh", 1, "echo last", "echo at last"),
  changed("fx/steps/last/attempt-1/stdout.log", 1, "last", "at last"),
  changed(
    "fx/workflow.yaml",
    9,
    "  - { id: last, run: echo last }",
    "  - { id: last, run: echo at last }",
    "steps:",
  ),
].join("");

const OF_DEEP = [
  ...["eu", "us"].flatMap((region, item) => {
    const run = `fx/steps/ship/item-${item}/attempt-1/run`;
    const push = `${run}/steps/push/attempt-1`;
    const said = `to ${region} in <run>/steps/ship/item-${item}/attempt-1/run, <redacted>`;
    const script = `to \${WF_V_INPUTS_REGION} in $WF_RUN_DIR, took $(date +%N) ns"`;
    return [
      digests(run, '"id":"region","file":"workflow.yaml"', "parts/region.yaml"),
      changed(`${push}/script.sh`, 2, `echo "${script}`, `echo "sent ${script}`),
      changed(`${push}/stdout.log`, 1, said, `sent ${said}`),
    ];
  }),
  changed(
    "fx/workflows/parts/region.yaml",
    7,
    '      echo "to {{inputs.region}} in $WF_RUN_DIR, took $(date +%N) ns"',
    '      echo "sent to {{inputs.region}} in $WF_RUN_DIR, took $(date +%N) ns"',
    "steps:",
  ),
].join("");
