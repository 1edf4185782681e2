import assert from "node:assert/strict";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import { endsOf, killEngine, letGo, needsLinux, startHeld, TELL } from "../rig/held.ts";
import { readJournal, readRun, untilEvent } from "../rig/journal.ts";
import { type Project, projectFor, type Result } from "../rig/project.ts";
import { digestOf, mountTmpfs, remount, unmount } from "../rig/tree.ts";

const ONE_STEP = `id: one\nsteps:\n  - { id: only, run: ${TELL} }\n`;

/** The exit code, one message with its code in brackets, and no stack trace. */
function refusedWith(result: Result, exit: number, code: string): void {
  assert.equal(result.code, exit, result.stderr);
  assert.match(result.stderr, new RegExp(`\\[${code}\\]`));
  assert.doesNotMatch(result.stderr, /^\s+at .*:\d+:\d+\)?$/m);
}

function nothingRan(project: Project): void {
  assert.deepEqual(project.runDirs(), []);
  assert.deepEqual(project.lines("effects"), []);
}

function sound(runDir: string): void {
  assert.deepEqual(sentences(check({ runDir, phase: "recovered" })), []);
}

describe("where a run can not begin", () => {
  test("no such file", async (t) => {
    const project = projectFor(t);
    refusedWith(await project.wf(["run", "missing.yaml"]), 2, "FILE_NOT_FOUND");
    nothingRan(project);
  });

  test("no such shell: the run is there, failed, with its reason and first attempt", async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: one\nshell: [no-such-shell-anywhere]\nsteps:\n  - { id: only, run: ${TELL} }\n`,
    );
    const result = await project.wf(["run", "w.yaml"]);
    assert.equal(result.code, 1, result.stderr);
    const record = readRun(project.onlyRun());
    assert.equal(record.status, "failed");
    assert.equal(record.reason.code, "SHELL_NOT_FOUND");
    assert.match(record.reason.message, /no-such-shell-anywhere/);
    assert.ok(record.reason.hint);
    assert.ok(fs.existsSync(`${project.onlyRun()}/steps/only/attempt-1/attempt.json`));
    sound(project.onlyRun());
  });

  test("a file stands where the runs folder should be", async (t) => {
    const project = projectFor(t);
    project.write("w.yaml", ONE_STEP);
    project.write(".wf/runs", "in the way\n");
    refusedWith(await project.wf(["run", "w.yaml"]), 6, "IO_ERROR");
    assert.equal(fs.readFileSync(project.path(".wf/runs"), "utf8"), "in the way\n");
    assert.deepEqual(project.lines("effects"), []);
  });

  test("the runs folder is on a read-only file system", async (t) => {
    const project = projectFor(t);
    project.write("w.yaml", ONE_STEP);
    const why = mountTmpfs(project.runsDir, "1m");
    if (why) return t.skip(why);
    try {
      remount(project.runsDir, "ro");
      refusedWith(await project.wf(["run", "w.yaml"]), 6, "IO_ERROR");
      assert.deepEqual(project.lines("effects"), []);
    } finally {
      unmount(project.runsDir);
    }
  });
});

describe("where a run can not go on", { skip: needsLinux }, () => {
  test("a full disk: exit 6, and with space again a resume loses nothing", async (t) => {
    const project = projectFor(t);
    const why = mountTmpfs(project.runsDir, "192k");
    if (why) return t.skip(why);
    try {
      project.write(
        "w.yaml",
        `id: full\nsteps:\n  - { id: small, run: ${TELL} }\n  - { id: large, run: '${TELL}; head -c 1000000 /dev/zero' }\n  - { id: last, run: ${TELL} }\n`,
      );
      refusedWith(await project.wf(["run", "w.yaml"]), 6, "IO_ERROR");
      await project.quiet();
      const runDir = project.onlyRun();
      assert.deepEqual(sentences(check({ runDir, phase: "crashed" })), []);
      assert.equal((await project.wf(["status", runDir])).code, 0);
      remount(project.runsDir, "size=8m");
      const resumed = await project.wf(["resume", runDir]);
      sound(runDir);
      // What filled the disk failed for lack of space, if it ended; then it is for a second resume to try again.
      if (resumed.code !== 0) assert.equal((await project.wf(["resume", runDir])).code, 0);
      assert.equal(project.lines("effects").filter((line) => line === "small").length, 1);
      assert.equal(readRun(runDir).status, "succeeded");
      sound(runDir);
    } finally {
      unmount(project.runsDir);
    }
  });

  test("a read-only copy of a run can be read and not resumed", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    const copies = project.path("copies");
    const why = mountTmpfs(copies, "4m");
    if (why) return t.skip(why);
    const copy = `${copies}/copy`;
    try {
      fs.cpSync(run.runDir, copy, { recursive: true });
      remount(copies, "ro");
      const before = digestOf(copy);
      for (const command of ["status", "progress", "logs"]) {
        const result = await project.wf([command, copy]);
        assert.equal(result.code, 0, `${command}: ${result.stderr}`);
      }
      assert.equal((await project.wf(["show", copy, "held"])).code, 0);
      refusedWith(await project.wf(["resume", copy]), 6, "IO_ERROR");
      assert.equal(digestOf(copy), before);
    } finally {
      unmount(copies);
    }
  });

  test("the run directory is a link to where it was moved", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    letGo(project, "held");
    await project.quiet();
    const moved = project.path("elsewhere");
    fs.renameSync(run.runDir, moved);
    fs.symlinkSync(moved, run.runDir);
    assert.equal((await project.wf(["status", run.runDir])).code, 0);
    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.ok(fs.lstatSync(run.runDir).isSymbolicLink());
    assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
    sound(moved);
  });

  test("the lock is held: exit 4, naming who holds it and what to do", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    const refused = await project.wf(["resume", run.runDir]);
    refusedWith(refused, 4, "RUN_LOCKED");
    assert.match(refused.stderr, new RegExp(`\\b${run.engine.pid}\\b`));
    assert.match(refused.stderr, /wf cancel/);
    letGo(project, "held");
    assert.equal((await run.engine.ended).code, 0);
  });

  test("the workflow file was changed: the run goes on with its copy, and says so", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    project.write("held.yaml", ONE_STEP);
    letGo(project, "held");
    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.stdout + resumed.stderr, /held\.yaml.*changed|changed.*held\.yaml/i);
    assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
    sound(run.runDir);
  });

  for (const hours of [-5, 5]) {
    test(`the clock of the next engine is ${Math.abs(hours)} h ${hours < 0 ? "behind" : "ahead"}`, async (t) => {
      const project = projectFor(t);
      const run = await startHeld(project);
      await killEngine(run);
      letGo(project, "held");
      await project.quiet();
      const resumed = await project.wf(["resume", run.runDir], { fault: { clockMs: hours * 3_600_000 } });
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
      sound(run.runDir);
    });
  }

  test("the clock is set back during the wait for a retry: it waits no longer than its delay", async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: retry\nsteps:\n  - { id: flaky, retry: { max: 1, delay: 2s }, run: '${TELL}; [ -e fixed ]' }\n`,
    );
    const engine = project.start(["run", "w.yaml"]);
    const runDir = await project.untilRun();
    await untilEvent(runDir, "retry_scheduled");
    await killEngine({ engine, runDir });
    project.write("fixed", "");
    const before = performance.now();
    const resumed = await project.wf(["resume", runDir], { fault: { clockMs: -3_600_000 } });
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.ok(performance.now() - before < 20_000);
    assert.deepEqual(endsOf(runDir, "flaky"), ["failed", "succeeded"]);
    sound(runDir);
  });

  test("standard output is closed early: the run goes on to its end", async (t) => {
    const project = projectFor(t);
    const steps = Array.from({ length: 20 }, (_, n) => `  - { id: s${n}, run: '${TELL}; sleep 0.01' }`);
    project.write("w.yaml", `id: many\nsteps:\n${steps.join("\n")}\n`);
    const result = await project.shell("set -o pipefail; $WF run w.yaml | head -1");
    assert.equal(result.code, 0, result.stderr);
    assert.equal(readRun(project.onlyRun()).status, "succeeded");
    assert.equal(project.lines("effects").length, 20);
    assert.doesNotMatch(result.stderr, /EPIPE/);
  });
});

describe("what a step leaves as its artifact", () => {
  for (const [what, make] of [
    ["a link that leads outside", 'ln -s /etc/hostname "$WF_OUTPUT_THING"'],
    ["a FIFO", 'mkfifo "$WF_OUTPUT_THING"'],
    ["a device", 'mknod "$WF_OUTPUT_THING" c 1 3'],
    ["a link in place of its folder", 'rmdir "$WF_OUTPUTS" && ln -s /etc "$WF_OUTPUTS"'],
  ] as const) {
    test(`${what}: the attempt fails, and the journal has a security event`, async (t) => {
      if (what === "a device" && process.getuid?.() !== 0) return t.skip("only root makes devices");
      const project = projectFor(t);
      const file = what.includes("folder") ? "hostname" : "thing.txt";
      project.write(
        "w.yaml",
        `id: bad\nsteps:\n  - id: only\n    output_files: { thing: ${file} }\n    run: |\n      ${make}\n`,
      );
      const result = await project.wf(["run", "w.yaml"]);
      assert.equal(result.code, 1, result.stderr);
      const runDir = project.onlyRun();
      assert.equal(readRun(runDir).reason.code, "OUTPUT_UNSAFE");
      assert.ok(readJournal(runDir).some(({ event }) => event === "security"));
      sound(runDir);
      assert.ok(fs.existsSync(dirname("/etc/hostname")));
    });
  }

  test("a value larger than the environment holds goes by a file", async (t) => {
    const project = projectFor(t);
    project.write("big.txt", "x".repeat(3_000_000));
    project.write(
      "w.yaml",
      `id: big\ninputs: { text: { type: string } }\nsteps:\n  - id: only\n    run: |\n      printf %s "{{inputs.text}}" | wc -c > count\n`,
    );
    const result = await project.wf(["run", "w.yaml", "--input", "text=@big.txt"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(project.lines("count"), ["3000000"]);
  });
});
