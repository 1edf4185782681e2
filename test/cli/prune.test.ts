import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { listRuns } from "../../src/cli/find-run.ts";
import { verifyRun } from "../../src/review/verify.ts";
import { removeLeftOvers } from "../../src/store/left-over.ts";
import { killEngine, letGo, needsLinux, processOf, startHeld } from "../rig/held.ts";
import { FAULT_MODULE, projectFor } from "../rig/project.ts";
import { until } from "../rig/wait.ts";
import { type Parsed, Rig, ROOT } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

const GOOD = `id: good
steps:
  - id: build
    run: echo built; echo artifact > "$WF_OUTPUT_FILE"
    output_files: { file: a.txt }
`;
const BAD = "id: bad\nsteps:\n  - { id: test, run: exit 3 }\n";

/** Runs of one workflow, each a day older than the one before it; the first ended just now. */
async function withRuns(t: TestContext, names: readonly string[], text = GOOD): Promise<Rig> {
  const rig = new Rig(t);
  rig.write("w.yaml", text);
  for (const [index, name] of names.entries()) {
    await rig.wf(["run", "w.yaml", "--run-id", name]);
    makeOlder(rig, name, index);
  }
  return rig;
}

function makeOlder(rig: Rig, name: string, days: number): void {
  const path = `.wf/runs/${name}/run.json`;
  const at = new Date(Date.now() - days * 24 * 3_600_000).toISOString();
  const times = /"(createdAt|startedAt|updatedAt|endedAt)": "[^"]+"/g;
  rig.write(path, rig.read(path).replace(times, `"$1": "${at}"`));
}

const present = (rig: Rig): string[] =>
  fs
    .readdirSync(rig.path(".wf/runs"))
    .filter((name) => name !== ".gitignore")
    .sort();

const namesOf = (runs: Parsed[]): string[] => runs.map(({ runId }: Parsed) => runId).sort();

test("what goes by itself: what the options choose, and never the rest", async (t) => {
  const rig = await withRuns(t, ["a0", "a1", "a31", "a32"]);
  for (const [name, days] of [
    ["a31", 31],
    ["a32", 32],
  ] as const)
    makeOlder(rig, name, days);
  rig.write("bad.yaml", BAD);
  await rig.wf(["run", "bad.yaml", "--run-id", "bad"]);
  makeOlder(rig, "bad", 40);
  fs.mkdirSync(rig.path(".wf/runs/notes"));
  rig.write(".wf/runs/notes/run.txt", "mine");
  const cases: readonly (readonly [string[], string[]])[] = [
    [[], ["a31", "a32"]],
    [
      ["--older-than", "12h"],
      ["a1", "a31", "a32"],
    ],
    [["--older-than", "32d"], ["a32"]],
    [["--keep", "3"], ["a32"]],
    [
      ["--keep", "2", "--older-than", "1w", "--status", "succeeded", "--status", "failed"],
      ["a31", "a32"],
    ],
    [["--status", "failed", "--older-than", "1d"], ["bad"]],
    [["--status", "failed"], []],
    [["--workflow", "bad", "--status", "failed", "--older-than", "0s"], ["bad"]],
    [["--workflow", "bad", "--older-than", "0s"], []],
    [["--status", "canceled", "--older-than", "0s"], []],
  ];
  for (const [options, expected] of cases) {
    const { code, value } = await rig.json(["prune", "--dry-run", ...options]);
    assert.equal(code, 0);
    checkOutput("prune", value);
    assert.deepEqual(namesOf(value.runs), expected, options.join(" "));
    assert.deepEqual(namesOf([...value.runs, ...value.kept]), ["a0", "a1", "a31", "a32", "bad"]);
    assert.ok(value.dryRun && value.runs.every(({ removed }: Parsed) => removed === false));
  }
  const { value } = await rig.json(["prune", "--yes"]);
  checkOutput("prune", value);
  assert.ok(value.runs.every(({ removed }: Parsed) => removed));
  assert.deepEqual(present(rig), ["a0", "a1", "bad", "notes"]);
  const again = await rig.wf(["prune"]);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /^nothing to prune in \.wf\/runs$/m);
});

test("it says what is lost and what it is needed for", async (t) => {
  const rig = await withRuns(t, ["old", "fork", "user", "second"]);
  name(rig, "fork", {
    forkedFrom: { run: "second", step: "build", earlier: [{ run: "old", step: "build" }] },
  });
  name(rig, "user", { reuse: { run: "old", dir: "../old" } });
  fs.linkSync(
    rig.path(".wf/runs/old/steps/build/attempt-1/outputs/a.txt"),
    rig.path(".wf/runs/fork/steps/build/attempt-1/outputs/shared.txt"),
  );
  const { value } = await rig.json(["prune", "old", "--dry-run"]);
  checkOutput("prune", value);
  const [old] = value.runs;
  assert.deepEqual(
    old.neededFor.map(({ kind, run }: Parsed) => `${kind} ${run}`),
    ["fork fork", "reuse user"],
  );
  assert.deepEqual([old.logBytes, old.artifacts, old.artifactBytes, old.sharedFiles], [6, 1, 9, 1]);
  const text = (await rig.wf(["prune", "old", "--dry-run"])).stdout;
  assert.match(text, /^ {4}lost with it: its record and journal, logs \(6 bytes\), 1 artifact \(9 bytes\)$/m);
  assert.match(text, /^ {4}not lost: 1 file that other runs hold too$/m);
  assert.match(text, /^ {4}needed: fork was forked from it/m);
  // By itself it stays as long as one stays that names it; if that goes too, it goes.
  const byItself = async (...options: string[]) => {
    const { value } = await rig.json(["prune", "--dry-run", "--keep", ...options]);
    return [namesOf(value.runs), value.kept.filter(({ reason }: Parsed) => reason === "needed").length];
  };
  assert.deepEqual(await byItself("1"), [["fork", "second", "user"], 0]);
  makeOlder(rig, "old", 9);
  assert.deepEqual(await byItself("1"), [["user"], 2]);
  assert.deepEqual(await byItself("2"), [[], 2]);
  rig.write("bad.yaml", BAD);
  await rig.wf(["run", "bad.yaml", "--run-id", "bad"]);
  const failed = await rig.json(["prune", "bad", "--dry-run"]);
  assert.deepEqual(
    failed.value.runs[0].neededFor.map(({ kind }: Parsed) => kind),
    ["resume"],
  );
});

test("a fork keeps what it shares with a run that is gone", async (t) => {
  const rig = await withRuns(
    t,
    ["origin"],
    `${GOOD}  - { id: publish, run: 'cat {{steps.build.outputs.file}}' }\n`,
  );
  await rig.wf(["fork", "origin@publish", "--run-id", "fork"]);
  const { value } = await rig.json(["prune", "origin", "--yes"]);
  const [origin] = value.runs;
  assert.ok(origin.removed && origin.sharedFiles > 0, JSON.stringify(origin));
  assert.deepEqual(
    origin.neededFor.map(({ kind, run }: Parsed) => [kind, run]),
    [["fork", "fork"]],
  );
  assert.deepEqual(present(rig), ["fork"]);
  assert.equal((await rig.wf(["verify", "fork"])).code, 0);
  assert.equal((await rig.wf(["fork", "fork@publish", "--run-id", "second"])).code, 0);
});

/** What `wf fork` and `wf run --reuse` write into the first line. */
function name(rig: Rig, run: string, volatile: object): void {
  const path = `.wf/runs/${run}/progress.ndjson`;
  const [first = "", ...rest] = rig.read(path).split("\n");
  const line = JSON.parse(first);
  const named = JSON.stringify({ ...line, volatile: { ...line.volatile, ...volatile } });
  rig.write(path, [named, ...rest].join("\n"));
}

test("without a terminal nothing goes unless it is said so", async (t) => {
  const rig = await withRuns(t, ["one"]);
  for (const extra of [[], ["--json"]]) {
    const { code, stdout, stderr } = await rig.wf(["prune", "one", ...extra]);
    assert.equal(code, 2);
    assert.match(`${stdout}${stderr}`, /there is no terminal to ask on: nothing was removed/);
    assert.match(`${stdout}${stderr}`, /--yes removes without asking/);
  }
  assert.equal((await rig.wf(["prune", "one", "--dry-run", "--yes"])).code, 0);
  assert.deepEqual(present(rig), ["one"]);
  const { code, stdout } = await rig.wf(["prune", "one", "-y"]);
  assert.equal(code, 0);
  assert.match(stdout, /^removed 1 run \(/m);
  assert.deepEqual(present(rig), []);
});

const pruneLine = (run: string) => `'${process.execPath}' '${join(ROOT, "bin/wf.js")}' prune ${run}`;

const onTerminal = (rig: Rig) => ({
  cwd: rig.dir,
  env: { ...process.env, NODE_TEST_CONTEXT: undefined, WF_RUNS_DIR: undefined, TERM: "dumb" },
});

const hasScript = spawnSync("script", ["--version"]).status === 0;

test("on a terminal it asks, and only a yes is one", { skip: !hasScript }, async (t) => {
  const rig = await withRuns(t, ["one", "two"]);
  const answer = (text: string, run: string) =>
    spawnSync("script", ["-qec", pruneLine(run), "/dev/null"], {
      ...onTerminal(rig),
      input: text,
      encoding: "utf8",
    });
  for (const no of ["n\n", "\n", "maybe\n"]) {
    const { status, stdout } = answer(no, "one");
    assert.match(stdout, /remove 1 run for good\? \[y\/N\]/);
    assert.match(stdout, /nothing was removed/);
    assert.equal(status, 0);
  }
  assert.deepEqual(present(rig), ["one", "two"]);
  assert.match(answer("y\n", "one").stdout, /removed 1 run/);
  assert.match(answer("YES\n", "two").stdout, /removed 1 run/);
  assert.deepEqual(present(rig), []);
});

test("a link that is named beside the run it leads to removes neither", async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: w\nsteps: [{ id: a, run: echo a }]\n");
  assert.equal((await rig.wf(["run", "w.yaml", "--run-id", "one"])).code, 0);
  fs.symlinkSync(rig.path(".wf/runs/one"), rig.path(".wf/runs/other"));
  const { code, stderr } = await rig.wf(["prune", "other", "--yes"]);
  assert.equal(code, 2);
  assert.match(stderr, /other is a link to one: wf prune follows none {3}\[USAGE\]\n.*wf prune one\n/);
  assert.deepEqual(
    fs.readdirSync(rig.path(".wf/runs")).filter((name) => !name.startsWith(".")),
    ["one", "other"],
  );
});

test("links are not followed, neither to a run nor in one", async (t) => {
  const rig = await withRuns(t, ["one"]);
  rig.write("elsewhere/precious.txt", "mine");
  fs.symlinkSync(rig.path("elsewhere"), rig.path(".wf/runs/one/steps/build/attempt-1/outputs/out"));
  fs.symlinkSync(rig.path("elsewhere/precious.txt"), rig.path(".wf/runs/one/steps/build/attempt-1/link"));
  await rig.wf(["run", "w.yaml", "--run-id", "away", "--runs-dir", "other"]);
  fs.symlinkSync(rig.path("other/away"), rig.path(".wf/runs/away"));
  const named = await rig.wf(["prune", "away", "--yes"]);
  assert.equal(named.code, 2);
  assert.match(named.stderr, /is not in the runs folder/);
  const { code, value } = await rig.json(["prune", "--older-than", "0s", "--yes"]);
  assert.equal(code, 0);
  assert.deepEqual(namesOf(value.runs), ["one"]);
  assert.deepEqual(
    value.kept.map(({ reason }: Parsed) => reason),
    ["link"],
  );
  assert.deepEqual(present(rig), ["away"]);
  assert.equal(rig.read("elsewhere/precious.txt"), "mine");
  assert.ok(fs.existsSync(rig.path("other/away/run.json")));
});

test("only runs in the runs folder go", async (t) => {
  const rig = await withRuns(t, ["one"]);
  rig.write(".wf/runs/notes/a.txt", "");
  rig.write(".wf/runs/config/run.json", '{"name":"mine"}');
  rig.write("src/run.json", "{}");
  const refused: readonly (readonly [string[], RegExp])[] = [
    [["notes"], /notes is no run: wf prune removes nothing else/],
    [["config"], /config is no run/],
    [["./src"], /src is not in the runs folder/],
    [["."], /is not in the runs folder/],
    [[".wf/runs"], /is not in the runs folder/],
    [["nowhere"], /there is no run "nowhere"/],
    [["one", "--older-than", "1d"], /--older-than chooses among all runs, and some are named/],
    [["one", "--status", "failed"], /--status chooses among all runs/],
    [["--older-than", "soon"], /--older-than must be an age, not "soon"/],
    [["--older-than", "-1d"], /--older-than must be an age, not "-1d"/],
    [["--keep", "0"], /--keep must be a whole number from 1/],
    [["--status", "waiting"], /--status can not be "waiting"/],
    [["--forever"], /wf prune has no option --forever/],
  ];
  for (const [args, message] of refused) {
    const { code, stderr } = await rig.wf(["prune", ...args, "--yes"]);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
  }
  assert.deepEqual(present(rig), ["config", "notes", "one"]);
  // One of several that is refused keeps all others.
  assert.equal((await rig.wf(["prune", "one", "notes", "--yes"])).code, 2);
  assert.deepEqual(present(rig), ["config", "notes", "one"]);
  const empty = await rig.wf(["prune", "--runs-dir", "nothing-there", "--yes"]);
  assert.deepEqual([empty.code, empty.stdout], [0, "nothing to prune in nothing-there\n"]);
});

test("damaged runs and older records go if they are named", async (t) => {
  const rig = await withRuns(t, ["one", "two", "three"]);
  fs.rmSync(rig.path(".wf/runs/one/run.json"));
  fs.writeFileSync(rig.path(".wf/runs/two/progress.ndjson"), "{}\n");
  fs.writeFileSync(rig.path(".wf/runs/three/run.json"), "not json");
  const legacy = { runId: "nightly", workflowId: "nightly", state: "succeeded", startedAt: 1, updatedAt: 2 };
  rig.write(".wf/runs/nightly.json", JSON.stringify(legacy));
  rig.write(".wf/runs/weekly/run.json", JSON.stringify({ ...legacy, runId: "weekly" }));
  const { value } = await rig.json(["prune", "--older-than", "0s", "--dry-run"]);
  assert.deepEqual(namesOf(value.runs), ["two"]);
  for (const name of ["one", "two", "three", "nightly", "weekly"]) {
    const { code, stderr } = await rig.wf(["prune", name, "--yes"]);
    assert.deepEqual([code, stderr], [0, ""], name);
  }
  assert.deepEqual(present(rig), []);
});

test("a run that is driven stays, and one whose step goes on without an engine", {
  skip: needsLinux,
}, async (t) => {
  const project = projectFor(t);
  const held = await startHeld(project);
  const id = basename(held.runDir);
  const driven = await project.wf(["prune", id, "--yes"]);
  assert.equal(driven.code, 4, driven.stderr);
  assert.match(driven.stderr, /is driven by process \d+/);
  assert.equal((await project.wf(["prune", "--older-than", "0s", "--yes"])).code, 0);
  await killEngine(held);
  const step = await processOf(held.runDir, "held");
  const goesOn = await project.wf(["prune", id, "--yes"]);
  assert.equal(goesOn.code, 4, goesOn.stderr);
  assert.match(goesOn.stderr, new RegExp(`its step held still runs, as process ${step}`));
  assert.deepEqual(project.runDirs(), [held.runDir]);
  letGo(project, "held");
  await project.quiet();
  // It can still be resumed: it does not go by itself, only by its name.
  assert.equal((await project.wf(["prune", "--older-than", "0s", "--yes"])).code, 0);
  assert.deepEqual(project.runDirs(), [held.runDir]);
  const named = await project.wf(["prune", id, "--yes"]);
  assert.equal(named.code, 0, named.stderr);
  assert.match(named.stdout, /needed: wf resume can still go on with it/);
  assert.deepEqual(project.runDirs(), []);
});

test("a run that was gone on with while it asked stays", { skip: !hasScript }, async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: w\nsteps:\n  - { id: s, run: test -e go }\n");
  await rig.wf(["run", "w.yaml", "--run-id", "r"]);
  const prune = spawn("script", ["-qec", pruneLine("r"), "/dev/null"], onTerminal(rig));
  let said = "";
  prune.stdout.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  await until(() => said.includes("[y/N]"), "wf to ask");
  rig.write("go", "");
  assert.equal((await rig.wf(["resume", "r"])).code, 0);
  prune.stdin.write("y\n");
  const [code] = await once(prune, "close");
  assert.equal(code, 1);
  assert.match(said, /^r stays: it has been gone on with since it was looked at\r$/m);
  assert.match(said, /^removed 0 runs/m);
  assert.equal((await rig.wf(["verify", "r"])).code, 0);
  assert.equal((await rig.wf(["resume", "r"])).code, 0);
});

test("of several at once one removes a run, and none fails", async (t) => {
  const rig = await withRuns(t, ["one", "two", "three"]);
  const all = await Promise.all([1, 2, 3].map(() => rig.wf(["prune", "--older-than", "0s", "--yes"])));
  // Who comes second finds the run claimed for its removal, or gone.
  for (const { code, stderr } of all) {
    assert.ok(code === 0 || code === 4, stderr);
    assert.doesNotMatch(stderr, /IO_ERROR|INTERNAL/);
  }
  assert.deepEqual(present(rig), []);
});

test("wherever it is cut off the run is whole or it is none", { timeout: 600_000 }, async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: m\nsteps:\n  - { id: s, run: echo hi }\n");
  await rig.wf(["run", "w.yaml", "--run-id", "model"]);
  const fault = (config: object) => ({
    NODE_OPTIONS: `--import=file://${FAULT_MODULE}`,
    WF_FAULT: JSON.stringify(config),
  });
  const prune = async (runs: string, config: object) => {
    fs.mkdirSync(rig.path(runs));
    fs.cpSync(rig.path(".wf/runs/model"), rig.path(runs, "model"), { recursive: true });
    await rig.wf(["prune", "model", "--yes", "--runs-dir", runs], { env: fault(config) });
  };
  await prune("traced", { trace: rig.path("trace") });
  assert.deepEqual(fs.readdirSync(rig.path("traced")), []);
  const operations = rig.read("trace").trim().split("\n").length;
  assert.ok(operations > 20, `${operations}`);
  const before = contents(rig.path(".wf/runs/model"));
  let [whole, none] = [0, 0];
  for (let at = 1; at <= operations; at += 1) {
    const runs = rig.path(`runs-${at}`);
    await prune(`runs-${at}`, { at, when: "before", does: "kill" });
    const [name, ...others] = fs.readdirSync(runs);
    assert.deepEqual(others, []);
    if (name === "model") {
      whole += 1;
      assert.deepEqual(contents(join(runs, name)), before);
      const verified = await verifyRun(join(runs, name));
      assert.equal(verified.kind, "current");
      assert.deepEqual(
        verified.kind === "current" && verified.findings.filter(({ level }) => level === "damage"),
        [],
      );
      continue;
    }
    none += 1;
    assert.match(name ?? "", /^\.pruning-model-/);
    assert.deepEqual(listRuns(runs), []);
    assert.deepEqual(removeLeftOvers(runs), [{ name, problem: null }]);
    assert.deepEqual(fs.readdirSync(runs), []);
  }
  assert.ok(whole > 3 && none > 10, `${whole} ${none}`);
});

/** All files but claims. */
function contents(runDir: string): Record<string, string> {
  const files = fs
    .readdirSync(runDir, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    paths
      .filter((path) => !path.includes("/lock/"))
      .map((path) => [path.slice(runDir.length), fs.readFileSync(path, "utf8")]),
  );
}

test("what dead processes left goes with it, with the next run, and with a look at the surroundings", async (t) => {
  const rig = await withRuns(t, ["one", "two", "three"]);
  const leave = (run: string) => {
    fs.rmSync(rig.path(".wf/runs", run, "lock"), { recursive: true });
    fs.renameSync(rig.path(".wf/runs", run), rig.path(`.wf/runs/.pruning-${run}-1-1`));
  };
  leave("one");
  const { value } = await rig.json(["prune", "--yes"]);
  checkOutput("prune", value);
  assert.deepEqual(value.leftOvers, [{ name: ".pruning-one-1-1", removed: true, problem: null }]);
  leave("two");
  assert.equal((await rig.wf(["run", "w.yaml", "--run-id", "next"])).code, 0);
  assert.deepEqual(present(rig), ["next", "three"]);
  leave("three");
  assert.match((await rig.wf(["doctor"])).stdout, /1 folder of dead processes removed/);
  assert.deepEqual(present(rig), ["next"]);
});

test("what can not be removed is said, and keeps nothing else from it", { skip: needsLinux }, async (t) => {
  const rig = await withRuns(t, ["one", "two"]);
  const fault = { on: "outputs/a.txt", when: "before", does: "error", errno: "EPERM" };
  const env = {
    NODE_OPTIONS: `--import=file://${FAULT_MODULE}`,
    WF_FAULT: JSON.stringify(fault),
  };
  const failing = await rig.wf(["prune", "one", "two", "--yes"], { env });
  assert.equal(failing.code, 6);
  assert.match(failing.stderr, /^one is no run any more, but can not remove .*\.pruning-one-/m);
  assert.match(failing.stderr, /^two is no run any more/m);
  assert.ok(present(rig).every((name) => name.startsWith(".pruning-")));
  assert.deepEqual((await rig.json(["ls"])).value.runs, []);
  assert.equal((await rig.wf(["prune", "--yes"])).code, 0);
  assert.deepEqual(present(rig), []);
  await rig.wf(["run", "w.yaml", "--run-id", "three"]);
  const stuck = { on: ".pruning-three", when: "before", does: "error", errno: "EACCES" };
  const whole = await rig.wf(["prune", "three", "--yes"], {
    env: { ...env, WF_FAULT: JSON.stringify(stuck) },
  });
  assert.equal(whole.code, 6);
  assert.match(whole.stderr, /^three stays: can not remove .*permission denied/m);
  assert.equal((await rig.wf(["resume", "three"])).code, 0);
});
