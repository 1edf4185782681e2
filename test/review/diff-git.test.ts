import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { type TestContext, test } from "node:test";
import { checkOutput } from "../cli/schemas.ts";
import { needsLinux } from "../rig/held.ts";
import { type Project, projectFor, type Result, type WfOptions } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

const flow = (word: string) => `id: flow\nsteps:\n  - { id: say, run: echo ${word} }\n`;

/** A repository with a fixture in three revisions: `one`, `two`, and, not committed yet, `three`. */
class Repository {
  readonly project: Project;

  constructor(t: TestContext) {
    this.project = projectFor(t);
    this.git("init", "--quiet", "--initial-branch=main");
    this.project.write(".gitignore", ".wf\ntmp\n");
    fs.mkdirSync(this.project.path("tmp"));
  }

  git(...args: string[]): string {
    const own = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"];
    const env = { PATH: process.env.PATH ?? "", HOME: this.project.dir, GIT_CONFIG_NOSYSTEM: "1" };
    return execFileSync("git", ["-C", this.project.dir, ...own, ...args], { encoding: "utf8", env });
  }

  commit(): void {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message", "kept");
  }

  /** A new run, kept as a fixture in the place of the one before. */
  async keep(word: string): Promise<void> {
    const run = await this.project.wf(["run", this.project.write("flow.yaml", flow(word))]);
    assert.equal(run.code, 0, run.stderr);
    fs.rmSync(this.project.path("fixtures/say"), { recursive: true, force: true });
    const saved = await this.project.wf(["fixture", "save", "latest", "fixtures/say"]);
    assert.equal(saved.code, 0, saved.stderr);
  }

  /** With a folder for temporary files that is to be empty afterwards. */
  async diff(args: readonly string[], options: WfOptions = {}): Promise<Result> {
    const env = { TMPDIR: this.project.path("tmp"), GIT_CONFIG_NOSYSTEM: "1", ...options.env };
    const result = await this.project.wf(["diff", ...args], { ...options, env });
    assert.deepEqual(fs.readdirSync(this.project.path("tmp")), [], args.join(" "));
    return result;
  }
}

async function threeRevisions(t: TestContext): Promise<Repository> {
  const repository = new Repository(t);
  await repository.keep("one");
  repository.commit();
  await repository.keep("two");
  repository.commit();
  await repository.keep("three");
  return repository;
}

const PATH = "fixtures/say";

test("two revisions of a fixture, and a revision and what is there now", async (t) => {
  const repository = await threeRevisions(t);
  const inFolder = { cwd: repository.project.path("fixtures") };
  const cases: readonly (readonly [args: string[], before: string, after: string, WfOptions?])[] = [
    [[`HEAD~1:${PATH}`, `HEAD:${PATH}`], "one", "two"],
    [["HEAD~1", "main", PATH], "one", "two"],
    [["HEAD~1", "main", "--", PATH], "one", "two"],
    [["HEAD~1:./say", `HEAD:../${PATH}/`], "one", "two", inFolder],
    [["main", "HEAD~1", "say"], "two", "one", inFolder],
    [[`HEAD:${PATH}`, PATH], "two", "three"],
    [["HEAD", PATH], "two", "three"],
    [["HEAD~1", `./${PATH}/`], "one", "three"],
    [[PATH], "two", "three"],
    [["."], "two", "three", { cwd: repository.project.path(PATH) }],
    [[`HEAD:${PATH}`, "latest"], "two", "three"],
    [["latest", `HEAD~1:${PATH}`], "three", "one"],
  ];
  for (const [args, before, after, options] of cases) {
    const { code, stdout, stderr } = await repository.diff(args, options);
    assert.deepEqual([code, stderr], [1, ""], args.join(" "));
    assert.match(stdout, new RegExp(`^ {4}-${before}\n {4}\\+${after}$`, "m"), args.join(" "));
  }
  const { code, stdout } = await repository.diff(["HEAD~1", PATH, "--json"]);
  assert.equal(code, 1);
  const said = JSON.parse(stdout);
  checkOutput("diff", said);
  assert.deepEqual([said.a.name, said.b.name], [`HEAD~1:${PATH}`, PATH]);
  repository.git("checkout", "--quiet", "--", PATH);
  assert.deepEqual((await repository.diff([PATH])).stdout, "the same: both succeeded\n");
});

test("what is compared need not be there any more, nor be a fixture", async (t) => {
  const repository = new Repository(t);
  const { project } = repository;
  const file = project.write("flow.yaml", flow("one"));
  for (const id of ["r-1", "r-2"]) await project.wf(["run", file, "--run-id", id]);
  fs.cpSync(project.path(".wf/runs/r-1"), project.path("plain/r-1"), { recursive: true });
  const { stdout: text } = await project.wf(["canon", "r-1"]);
  project.write("plain/form.txt", text);
  fs.symlinkSync("/etc/hostname", project.path("plain/r-1/steps/say/attempt-1/link"));
  repository.commit();
  fs.rmSync(project.path("plain"), { recursive: true });
  repository.commit();
  const whole = await repository.diff(["HEAD~1:plain/r-1", "r-2"]);
  assert.match(whole.stdout, /^ {4}-<link> \/etc\/hostname$/m);
  assert.doesNotMatch(whole.stdout, /scripts and prompts/);
  const gone = await repository.diff(["HEAD~1", "HEAD~1", "plain/r-1"]);
  assert.equal(gone.stdout, "the same: both succeeded\n", gone.stderr);
  const form = await repository.diff(["HEAD~1:plain/form.txt", "r-2"]);
  assert.equal(form.stdout, "the same: both succeeded\n", form.stderr);
  const lacking = await repository.diff(["HEAD~1", "HEAD", "plain/r-1"]);
  assert.deepEqual([lacking.code, lacking.stdout], [2, ""]);
  assert.match(lacking.stderr, /^wf: HEAD has no plain\/r-1 {3}\[RUN_NOT_FOUND\]$/m);
});

test("the repository stays as it is, and the variables that git gives its hooks mislead nobody", async (t) => {
  const repository = await threeRevisions(t);
  const index = repository.project.path(".git/index");
  // Git itself writes the index when it is asked for the status.
  const status = repository.git("status", "--porcelain");
  const before = fs.readFileSync(index, "base64");
  const env = { GIT_DIR: ".git", GIT_INDEX_FILE: ".git/index", GIT_PREFIX: "" };
  for (const given of [{}, { env }]) {
    assert.equal((await repository.diff(["HEAD", PATH], given)).code, 1);
  }
  assert.equal(fs.readFileSync(index, "base64") === before, true);
  assert.equal(repository.git("status", "--porcelain"), status);
  repository.git("config", "core.autocrlf", "true");
  repository.git("checkout", "--quiet", "--", PATH);
  repository.git("config", "core.autocrlf", "false");
  const same = await repository.diff([`main:${PATH}`, `HEAD:${PATH}`]);
  assert.equal(same.stdout, "the same: both succeeded\n");
});

test("a word that may be a revision or a run is refused", async (t) => {
  const repository = await threeRevisions(t);
  const { project } = repository;
  await project.wf(["run", "flow.yaml", "--run-id", "main-7"]);
  const { code, stdout, stderr } = await repository.diff(["main", PATH]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(
    stderr,
    /^wf: main is a revision of git, and a part of the id of a run {3}\[RUN_AMBIGUOUS\]$/m,
  );
  assert.match(stderr, /wf diff main:\.\/fixtures\/say fixtures\/say/);
  assert.equal((await repository.diff(["main:./fixtures/say", PATH])).code, 1);
  // A whole id is a run.
  assert.equal((await repository.diff(["main-7", PATH])).stdout, "the same: both succeeded\n");
  await project.wf(["run", "flow.yaml", "--run-id", "main"]);
  assert.equal((await repository.diff(["main", PATH])).stdout, "the same: both succeeded\n");
});

test("what git does not know is said, and exits with 2", async (t) => {
  const repository = await threeRevisions(t);
  const { project } = repository;
  const outside = fs.mkdtempSync("/tmp/wf-outside-");
  t.after(() => fs.rmSync(outside, { recursive: true }));
  const refused: readonly (readonly [string[], RegExp, WfOptions?])[] = [
    [["v1:fixtures/say", PATH], /git knows no revision v1 /],
    [["v1", "HEAD", PATH], /git knows no revision v1 /],
    [["--", "-v1:x", PATH], /wf diff|revision/],
    [["HEAD:fixtures/sya", PATH], /HEAD has no fixtures\/sya /],
    [["HEAD:../../etc", PATH], /HEAD has no \.\.\/\.\.\/etc /],
    [[":fixtures/say", PATH], /there is no revision before the colon/],
    [["HEAD:fixtures", PATH], /HEAD:fixtures is no run directory/],
    [["HEAD:flow.yaml", PATH], /HEAD:flow\.yaml is no run/],
    [["v1", PATH], /there is no run "v1"/],
    [["nothing"], /compares two things, and one is named: nothing/],
    [[PATH, ""], /B must not be empty/],
    [["HEAD:x", "latest"], /wf-outside-\w+ is in no git repository/, { cwd: outside }],
    [[outside], /\/tmp is in no git repository/],
    [["HEAD:x", PATH], /there is no git on PATH/, { env: { PATH: outside } }],
  ];
  for (const [args, message, options] of refused) {
    const { code, stdout, stderr } = await repository.diff(args, options);
    assert.deepEqual([code, stdout], [2, ""], `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, message);
    assert.ok(!stderr.includes(project.path("tmp")), stderr);
  }
});

test("a signal leaves no temporary folder behind", { skip: needsLinux }, async (t) => {
  const repository = await threeRevisions(t);
  const { project } = repository;
  const env = { TMPDIR: project.path("tmp") };
  const args = ["diff", `HEAD:${PATH}`, PATH];
  const trace = project.path("trace");
  await project.wf(args, { env, fault: { trace } });
  const operations = project.lines("trace").map((line) => JSON.parse(line));
  const { n } = operations.find(({ name }) => name === "mkdirSync");
  const wf = project.start(args, { env, fault: { at: n, when: "after", does: "stop" } });
  await until(() => /\) T /.test(fs.readFileSync(`/proc/${wf.pid}/stat`, "utf8")), "wf to stop");
  assert.equal(fs.readdirSync(project.path("tmp")).length, 1);
  wf.child.kill("SIGTERM");
  wf.child.kill("SIGCONT");
  const { signal } = await wf.ended;
  assert.equal(signal, "SIGTERM");
  assert.deepEqual(fs.readdirSync(project.path("tmp")), []);
});
