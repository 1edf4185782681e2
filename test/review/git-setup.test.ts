import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { VERSION } from "../../src/system/version.ts";
import { checkOutput } from "../cli/schemas.ts";
import { projectFor, type Result } from "../rig/project.ts";
import { Repository } from "../rig/repository.ts";

const FLOW = `id: flow
providers:
  robot: { command: [sh, -c, 'cat > /dev/null; echo "looked at $WF_RUN_DIR"'], output: text }
agents:
  helper: { provider: robot, permissions: read }
steps:
  - id: look
    agent: helper
    prompt: Look at the word.
  - id: say
    run: echo "in $WF_RUN_DIR"; echo word
`;

class KeptRuns extends Repository {
  /** A new run of the workflow, in the place of the one that was kept, committed. */
  async keepRun(text = FLOW): Promise<void> {
    const { project } = this;
    const run = await project.wf(["run", project.write("flow.yaml", text)]);
    assert.equal(run.code, 0, run.stderr);
    const [newest = ""] = project.runDirs().slice(-1);
    fs.rmSync(project.path("kept"), { recursive: true, force: true });
    fs.renameSync(newest, project.path("kept"));
    this.commit("a run");
  }

  wf(...args: string[]): Promise<Result> {
    return this.project.wf(args);
  }
}

test("git diff shows nothing of a rerun, and of a real change only the change", async (t) => {
  const repository = new KeptRuns(projectFor(t));
  await repository.keepRun();
  assert.equal((await repository.wf("git-setup")).code, 0);
  repository.git("add", "--all");
  repository.git("commit", "--quiet", "--amend", "--no-edit");
  await repository.keepRun();
  const noise = repository.git("diff", "--no-textconv", "HEAD~1", "HEAD").match(/^diff --git/gm)?.length ?? 0;
  assert.ok(noise >= 5, `only ${noise} files differ without it`);
  assert.equal(repository.git("diff", "HEAD~1", "HEAD"), "");
  // As a person sees it before a commit, where git gives the file itself.
  assert.equal(repository.git("diff", "HEAD~1"), "");

  await repository.keepRun(FLOW.replace("echo word", "echo words"));
  const shown = repository.git("diff", "HEAD~1", "HEAD", "--", "kept").replace(/^index .*\n/gm, "");
  assert.equal(shown.replace(/"sha256": "[0-9a-f]{64}"|"sha256":"[0-9a-f]{64}"/g, "(digest)"), CHANGE);
});

const CHANGE = `diff --git a/kept/progress.ndjson b/kept/progress.ndjson
--- a/kept/progress.ndjson
+++ b/kept/progress.ndjson
@@ -1,4 +1,4 @@
-{"event":"run_created","format":"wf.run/1","workflow":{"id":"flow","file":"workflow.yaml",(digest),"source":"project:flow.yaml"},"inputs":{},"limits":{"max_total_iterations":100},"options":{"durability":"power"}}
+{"event":"run_created","format":"wf.run/1","workflow":{"id":"flow","file":"workflow.yaml",(digest),"source":"project:flow.yaml"},"inputs":{},"limits":{"max_total_iterations":100},"options":{"durability":"power"}}
 {"event":"engine_started","how":"start","version":"${VERSION}"}
 {"event":"attempt_started","step":"look","attempt":1,"cause":"first"}
 {"event":"attempt_ended","record":{"step":"look","attempt":1,"cause":"first","status":"succeeded","exitCode":0,"outputs":{},"next":{"to":"say","because":"next step in the file"}}}
diff --git a/kept/run.json b/kept/run.json
--- a/kept/run.json
+++ b/kept/run.json
@@ -4,7 +4,7 @@
   "workflow": {
     "id": "flow",
     "file": "workflow.yaml",
-    (digest),
+    (digest),
     "source": "project:flow.yaml"
   },
   "status": "succeeded",
diff --git a/kept/steps/say/attempt-1/script.sh b/kept/steps/say/attempt-1/script.sh
--- a/kept/steps/say/attempt-1/script.sh
+++ b/kept/steps/say/attempt-1/script.sh
@@ -1 +1 @@
-echo "in $WF_RUN_DIR"; echo word
+echo "in $WF_RUN_DIR"; echo words
diff --git a/kept/steps/say/attempt-1/stdout.log b/kept/steps/say/attempt-1/stdout.log
--- a/kept/steps/say/attempt-1/stdout.log
+++ b/kept/steps/say/attempt-1/stdout.log
@@ -1,2 +1,2 @@
 in <run>
-word
+words
diff --git a/kept/workflow.yaml b/kept/workflow.yaml
--- a/kept/workflow.yaml
+++ b/kept/workflow.yaml
@@ -8,4 +8,4 @@ steps:
     agent: helper
     prompt: Look at the word.
   - id: say
-    run: echo "in $WF_RUN_DIR"; echo word
+    run: echo "in $WF_RUN_DIR"; echo words
`;

test("it is set up once, told apart, and taken back to the byte", async (t) => {
  const project = projectFor(t);
  const repository = new KeptRuns(project);
  const config = project.path(".git/config");
  const attributes = project.path(".gitattributes");
  const before = fs.readFileSync(config, "utf8");
  for (const text of [null, "*.png binary", "*.png binary\n", "\n", "# >>> not ours\n"]) {
    if (text === null) fs.rmSync(attributes, { force: true });
    else fs.writeFileSync(attributes, text);
    const first = await repository.wf("git-setup", "--check", "--json");
    assert.equal(first.code, 1);
    checkOutput("git-setup", JSON.parse(first.stdout));
    assert.deepEqual(await repository.wf("git-setup"), {
      code: 0,
      signal: null,
      stdout:
        "wrote the lines in .gitattributes\nwrote the textconv in the configuration of this clone\n" +
        "commit .gitattributes; wf git-setup --undo takes it back\n",
      stderr: "",
    });
    const written = [attributes, config].map((path) => fs.readFileSync(path, "utf8"));
    assert.equal((await repository.wf("git-setup")).stdout, "nothing to do: it is set up\n");
    assert.deepEqual(
      [attributes, config].map((path) => fs.readFileSync(path, "utf8")),
      written,
    );
    assert.equal((await repository.wf("git-setup", "--check")).code, 0);
    const undone = await repository.wf("git-setup", "--undo", "--json");
    checkOutput("git-setup", JSON.parse(undone.stdout));
    assert.equal(fs.existsSync(attributes) ? fs.readFileSync(attributes, "utf8") : null, text);
    assert.equal(fs.readFileSync(config, "utf8"), before);
    assert.equal((await repository.wf("git-setup", "--undo")).stdout, "nothing to undo\n");
  }
});

test("what others wrote around it stays, and lines of another version are replaced", async (t) => {
  const project = projectFor(t);
  const repository = new KeptRuns(project);
  const attributes = project.path(".gitattributes");
  fs.writeFileSync(attributes, "*.png binary\n");
  repository.git("config", "diff.wf-run.xfuncname", "^own");
  await repository.wf("git-setup");
  const whole = fs.readFileSync(attributes, "utf8");
  fs.writeFileSync(attributes, `${whole.replace("run.json diff", "runs.json diff")}*.jpg binary\n`);
  const check = await repository.wf("git-setup", "--check");
  assert.equal(check.code, 1);
  assert.equal(
    check.stdout,
    "not set up; wf git-setup does it:\n  the lines of wf in .gitattributes are not those of this version\n",
  );
  await repository.wf("git-setup");
  assert.equal((await repository.wf("git-setup", "--check")).code, 0);
  await repository.wf("git-setup", "--undo");
  assert.equal(fs.readFileSync(attributes, "utf8"), "*.png binary\n*.jpg binary\n");
  assert.equal(repository.git("config", "diff.wf-run.xfuncname"), "^own\n");
});

test("a clone has the lines and not the configuration, and is told so", async (t) => {
  const project = projectFor(t);
  const repository = new KeptRuns(project);
  await repository.wf("git-setup");
  repository.git("config", "--unset", "diff.wf-run.textconv");
  const check = await project.wf(["git-setup", "--check"], { cwd: project.path(".wf") });
  assert.equal(check.code, 1);
  assert.equal(
    check.stdout,
    "not set up; wf git-setup does it:\n  diff.wf-run.textconv is not set in this clone\n",
  );
});

test("outside of a repository there is nothing to set up", async (t) => {
  const project = projectFor(t);
  const result = await project.wf(["git-setup"], {
    env: { GIT_CEILING_DIRECTORIES: join(project.dir, "..") },
  });
  assert.equal(result.code, 2);
  assert.equal(
    result.stderr,
    `wf: there is no git repository at ${project.dir}   [USAGE]\n    git init makes one\n`,
  );
  assert.equal((await project.wf(["git-setup", "--check", "--undo"])).code, 2);
});
