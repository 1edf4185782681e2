import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { masked } from "../../src/process/mask.ts";
import { takeOrder } from "../../src/process/mask-order.ts";
import { isGone, kill } from "../rig/processes.ts";
import { until } from "../rig/wait.ts";

const SECRET = "hunter2-is-no-password";

interface Step {
  readonly child: ChildProcess;
  /** The status, as a shell would see it. */
  readonly ended: Promise<number | string | null>;
  stdout(): string;
  stderr(): string;
}

/** A script under the masking process, in a process group of its own, with files as its output. */
function step(
  t: { after(clean: () => void): void },
  script: string,
  options: { env?: Record<string, string>; stdin?: string; argv?: readonly string[] } = {},
): Step {
  const dir = fs.mkdtempSync(join(tmpdir(), "wf-test-mask-"));
  const open = (name: string) => fs.openSync(join(dir, name), "a");
  const base = { PATH: process.env.PATH ?? "", TMPDIR: dir, ...options.env };
  const argv = options.argv ?? ["/bin/sh", "-e", "-c", script];
  const call = masked({ argv, env: { SECRET } }, base, [SECRET]);
  const [program = "", ...args] = call.argv;
  const env: Record<string, string> = { ...base };
  for (const [name, value] of Object.entries(call.env)) {
    if (value === null) delete env[name];
    else env[name] = value;
  }
  assert.ok(!call.argv.join(" ").includes(SECRET));
  const files = [open("stdout"), open("stderr")] as const;
  const child = spawn(program, args, { cwd: dir, env, detached: true, stdio: ["pipe", ...files] });
  child.stdin?.end(options.stdin ?? "");
  for (const file of files) fs.closeSync(file);
  t.after(() => {
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // Nothing of the group is left.
    }
    fs.rmSync(dir, { recursive: true, force: true });
  });
  return {
    child,
    ended: new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal))),
    stdout: () => fs.readFileSync(join(dir, "stdout"), "utf8"),
    stderr: () => fs.readFileSync(join(dir, "stderr"), "utf8"),
  };
}

describe("the masking process", () => {
  test("passes on what is printed, the secret aside, and ends as the step does", async (t) => {
    const run = step(t, 'echo "it is $SECRET."; echo "not $SECRET" >&2; exit 7');
    assert.equal(await run.ended, 7);
    assert.equal(run.stdout(), "it is ***.\n");
    assert.equal(run.stderr(), "not ***\n");
  });

  test("byte by byte, with pauses", async (t) => {
    const script =
      'i=1; while [ $i -le 22 ]; do printf %s "$SECRET" | cut -c $i | tr -d "\\n"; i=$((i+1)); done';
    const run = step(t, `${script}; sleep 0.3; printf hunt; sleep 0.3; printf er2-is-no-password!`);
    assert.equal(await run.ended, 0);
    assert.equal(run.stdout(), "***!");
  });

  test("what is printed is in the file before the step ends", async (t) => {
    const run = step(t, 'printf "Go on? "; sleep 60');
    await until(() => run.stdout() === "Go on? ", "the prompt");
  });

  test("a signal to the group is the step's affair", async (t) => {
    const run = step(t, 'trap "echo caught; exit 3" TERM; echo ready; while :; do sleep 0.05; done');
    await until(() => run.stdout().includes("ready"), "the step to be ready");
    for (const signal of ["SIGHUP", "SIGINT"] as const) process.kill(run.child.pid as number, signal);
    process.kill(-(run.child.pid as number), "SIGTERM");
    assert.equal(await run.ended, 3);
    assert.match(run.stdout(), /caught\n$/);
  });

  test("a step that a signal ended ends as a shell says it", async (t) => {
    assert.equal(await step(t, "kill -TERM $$; sleep 5").ended, 143);
    assert.equal(await step(t, "kill -KILL $$").ended, 137);
  });

  test("a program that is not there", async (t) => {
    const run = step(t, "", { argv: ["/nowhere/at-all"] });
    assert.equal(await run.ended, 127);
    assert.match(run.stderr(), /\/nowhere\/at-all can not be started: ENOENT/);
    assert.equal(await step(t, "", { argv: ["/etc/passwd"] }).ended, 126);
  });

  test("the step gets its own environment and input, and nothing of this process's", async (t) => {
    const env = { NODE_OPTIONS: "--require=/nowhere.js", "odd.name": "1", BASH_NAME: "2", NODE_DEBUG: "net" };
    // By no shell: those drop names that they can not spell.
    const run = step(t, "", { env, argv: ["/usr/bin/env"] });
    assert.equal(await run.ended, 0);
    const got = run.stdout();
    const reads = step(t, "cat", { stdin: "input" });
    assert.equal(await reads.ended, 0);
    assert.equal(reads.stdout(), "input");
    for (const line of ["NODE_OPTIONS=--require=/nowhere.js", "odd.name=1", "BASH_NAME=2", "NODE_DEBUG=net"])
      assert.ok(got.includes(`${line}\n`), line);
    assert.doesNotMatch(got, /WF_MASK/);
    assert.equal(run.stderr(), "");
  });

  test("no value stands in arguments, by whichever way a variable would travel", () => {
    const base = { PATH: "/bin", NODE_OPTIONS: "--x", NODE_GONE: "1" };
    const env = { SECRET, BASH_SECRET: SECRET, "odd.secret": SECRET, UID: SECRET, NODE_GONE: null };
    const call = masked({ argv: ["/bin/sh"], env }, base, [SECRET]);
    assert.doesNotMatch(call.argv.join(" "), /hunter2/);
    assert.deepEqual(call.argv.slice(-2), ["--", "/bin/sh"]);
    const left = Object.fromEntries(Object.entries(call.env).filter(([name]) => !name.startsWith("WF_MASK")));
    const away = { BASH_SECRET: null, "odd.secret": null, UID: null, NODE_OPTIONS: null, NODE_GONE: null };
    assert.deepEqual(left, { SECRET, ...away });
    const order = takeOrder({ ...(call.env as Record<string, string>) });
    const late = { BASH_SECRET: SECRET, "odd.secret": SECRET, UID: SECRET, NODE_OPTIONS: "--x" };
    assert.deepEqual(order, { values: [SECRET], env: late });
  });

  test("standard output and error are what a script may open by name", async (t) => {
    const run = step(
      t,
      "echo a >/dev/stdout; echo b >/dev/stderr; echo c | tee /dev/stderr; [ -p /dev/stdout ]",
    );
    assert.equal(await run.ended, 0, run.stderr());
    assert.equal(run.stdout(), "a\nc\n");
    assert.equal(run.stderr(), "b\nc\n");
  });

  test("does not wait for what the step leaves behind", async (t) => {
    const run = step(
      t,
      'sleep 60 & echo $!; setsid sh -c "while :; do echo $SECRET; done" & echo $!; exit 4',
    );
    assert.equal(await run.ended, 4);
    const pids = run.stdout().match(/^\d+$/gm)?.map(Number) ?? [];
    assert.equal(pids.length, 2, run.stdout().slice(0, 200));
    assert.doesNotMatch(run.stdout(), /hunter2/);
    // It talked on, and nobody listens any more.
    await until(() => isGone(pids[1] as number), "the one that prints to end");
    kill([pids[0] as number]);
  });

  test("hears for a moment what others still print when the step has ended", async (t) => {
    const run = step(t, "(for i in 1 2 3 4 5 6 7 8 9; do sleep 0.01; echo $i; done) & exit 0");
    assert.equal(await run.ended, 0);
    assert.match(run.stdout(), /^1\n2\n/);
  });

  test("what the step wrote last is all there, however much it was", async (t) => {
    const run = step(t, `head -c 3000000 /dev/zero | tr '\\0' x; echo "$SECRET"`);
    assert.equal(await run.ended, 0);
    assert.equal(run.stdout().length, 3_000_000 + "***\n".length);
  });

  test("a lot of output takes no more memory", async (t) => {
    const run = step(t, `head -c 300000000 /dev/zero; echo done >&2; sleep 60`);
    await until(() => run.stderr() === "done\n", "the output to be written");
    const status = fs.readFileSync(`/proc/${run.child.pid}/status`, "utf8");
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    assert.ok(peak < 150_000, `${peak} kB`);
    process.kill(-(run.child.pid as number), "SIGKILL");
    await run.ended;
  });

  test("a log that can not be written ends the step as it would without", async (t) => {
    const call = masked({ argv: ["/bin/sh", "-c", "while echo x; do :; done; echo over >&2"], env: {} }, {}, [
      SECRET,
    ]);
    const [program = "", ...args] = call.argv;
    const full = fs.openSync("/dev/full", "w");
    const child = spawn(program, args, {
      env: { ...process.env, ...(call.env as Record<string, string>) },
      stdio: ["ignore", full, "pipe"],
    });
    fs.closeSync(full);
    t.after(() => void child.kill("SIGKILL"));
    const status = await new Promise((resolve) => child.once("exit", resolve));
    // SIGPIPE.
    assert.equal(status, 141);
  });

  test("nothing is left in the temporary folder", async (t) => {
    const run = step(t, 'ls -A "$TMPDIR"');
    assert.equal(await run.ended, 0);
    assert.equal(run.stdout(), "stderr\nstdout\n");
  });
});
