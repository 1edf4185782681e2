import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import type { ProcessIdentity } from "../../src/core/event.ts";
import { inspect, watch } from "../../src/process/adopt.ts";
import type { JobEnd } from "../../src/process/executor.ts";
import { signalGroup } from "../../src/process/process-table.ts";
import { isGroupEmpty, Rig, read, tempDir, until } from "./rig.ts";

interface Engine {
  readonly child: ChildProcess;
  readonly attemptDir: string;
  readonly identity: ProcessIdentity & { readonly helper?: number };
}

async function engine(t: TestContext, by: string, until: "open" | "gate", script: string): Promise<Engine> {
  const attemptDir = join(tempDir(t), "attempt");
  mkdirSync(attemptDir);
  writeFileSync(join(attemptDir, "script.sh"), script);
  const main = join(import.meta.dirname, "engine.ts");
  const child = spawn(process.execPath, ["--import", "tsx", main, by, attemptDir, until], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [line] = await once(createInterface(child.stdout), "line");
  const identity = JSON.parse(line);
  t.after(() => signalGroup(identity.pid, "SIGKILL"));
  return { child, attemptDir, identity };
}

async function kill(engine: Engine): Promise<void> {
  engine.child.kill("SIGKILL");
  await once(engine.child, "exit");
}

/** What records the status of a helper's step is not of the step's group. */
const KILLED = { helper: { exitCode: 137 }, spawn: { died: true } } as const;

for (const by of ["helper", "spawn"] as const) {
  test(`${by}: the engine dies before the gate opens: nothing ran, no process is left`, async (t) => {
    const dead = await engine(t, by, "gate", "echo ran");
    await until(() => existsSync(join(dead.attemptDir, "stderr.log")));
    await kill(dead);
    await until(() => isGroupEmpty(dead.identity.pid));
    await until(() => dead.identity.helper === undefined || isGroupEmpty(dead.identity.helper));
    assert.equal(read(join(dead.attemptDir, "stdout.log")), "");
    assert.deepEqual(inspect(dead.attemptDir, dead.identity), { found: "never_began" });
  });

  test(`${by}: the engine dies while a step runs: the step ends, its status is recorded`, async (t) => {
    const dead = await engine(
      t,
      by,
      "open",
      "echo begins; until [ -e go ]; do sleep 0.01; done; echo ends; exit 7",
    );
    await until(() => read(join(dead.attemptDir, "stdout.log")) === "begins\n");
    await kill(dead);
    await until(() => dead.identity.helper === undefined || isGroupEmpty(dead.identity.helper));
    assert.deepEqual(inspect(dead.attemptDir, dead.identity), { found: "alive" });
    const end = new Promise<JobEnd>((resolve) => watch(dead.attemptDir, dead.identity, resolve));
    writeFileSync(join(dead.attemptDir, "..", "go"), "");
    assert.deepEqual(await end, { exitCode: 7 });
    assert.equal(read(join(dead.attemptDir, "stdout.log")), "begins\nends\n");
    assert.deepEqual(inspect(dead.attemptDir, dead.identity), { found: "exited", exitCode: 7 });
  });

  test(`${by}: an adopted step can be stopped`, async (t) => {
    const dead = await engine(t, by, "open", "trap '' TERM; echo begins; while :; do sleep 0.01; done");
    await until(() => read(join(dead.attemptDir, "stdout.log")) === "begins\n");
    await kill(dead);
    const end = new Promise<JobEnd>((resolve) => {
      void watch(dead.attemptDir, dead.identity, resolve).stop({ graceMs: 50 }).done;
    });
    assert.deepEqual(await end, KILLED[by]);
    assert.ok(isGroupEmpty(dead.identity.pid));
    const found = by === "helper" ? { found: "exited", exitCode: 137 } : { found: "lost" };
    assert.deepEqual(inspect(dead.attemptDir, dead.identity), found);
  });
}

test("the helper dies while a step runs: its status still comes, and the next step has a new helper", async (t) => {
  const rig = new Rig(t, "helper");
  const step = await rig.start("until [ -e go ]; do sleep 0.01; done; exit 9");
  await until(() => existsSync(join(step.dir, "exit")));
  const helper = rig.launcher.helperPid as number;
  process.kill(helper, "SIGKILL");
  assert.deepEqual((await rig.run("exit 8")).end, { exitCode: 8 });
  assert.notEqual(await until(() => rig.launcher.helperPid), helper);
  writeFileSync(join(rig.dir, "go"), "");
  assert.deepEqual(await step.end, { exitCode: 9 });
});

test("the helper dies while steps wait at the gate: they can still be started", async (t) => {
  const rig = new Rig(t, "helper", { capacity: 4 });
  rig.launcher.want(2);
  await until(() => rig.launcher.idle === 2);
  process.kill(rig.launcher.helperPid as number, "SIGKILL");
  const ends = await Promise.all([
    rig.run("exit 1"),
    rig.run("exit 2"),
    rig.run("exit 3"),
    rig.run("exit 4"),
  ]);
  assert.deepEqual(
    ends.map(({ end }) => end),
    [{ exitCode: 1 }, { exitCode: 2 }, { exitCode: 3 }, { exitCode: 4 }],
  );
});

test("where bash gives no wrapper, the launcher does without", async (t) => {
  const bin = join(tempDir(t), "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "bash"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  const rig = new Rig(t, "helper", { env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
  assert.deepEqual((await rig.run("exit 6")).end, { exitCode: 6 });
  assert.equal(rig.launcher.helperPid, undefined);
});

for (const by of ["helper", "spawn"] as const) {
  test(`${by}: a wrapper that was killed is noticed, and what it left is ended`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start("while :; do sleep 0.01; done");
    await until(() => existsSync(join(step.dir, "exit")));
    const { identity } = step.process;
    process.kill((identity.recorder ?? identity).pid, "SIGKILL");
    assert.deepEqual(await step.end, { died: true });
    assert.ok(isGroupEmpty(step.process.identity.pid));
  });

  test(`${by}: a wrapper killed while idle is not taken`, async (t) => {
    const rig = new Rig(t, by, { capacity: 4 });
    rig.launcher.want(2);
    await until(() => rig.launcher.idle === 2);
    const victim = await rig.take();
    rig.launcher.discard(victim);
    await until(() => rig.launcher.idle === 2);
    const { end, process: first } = await rig.start("kill -KILL $PPID; sleep 1000");
    assert.deepEqual(await end, { died: true });
    assert.notEqual(first.identity.pid, victim.identity.pid);
    assert.deepEqual((await rig.run("exit 2")).end, { exitCode: 2 });
  });

  test(`${by}: what was meant for a wrapper that was killed is never run by the next`, async (t) => {
    const rig = new Rig(t, by, { capacity: 2 });
    const launched = await rig.take();
    process.kill(launched.identity.pid, "SIGKILL");
    await until(() => isGroupEmpty(launched.identity.pid));
    const { attemptDir, ...command } = rig.command(`touch ${rig.dir}/ran`);
    rig.launcher.prepare(launched, { attemptDir, ...command });
    rig.launcher.open(launched);
    await until(() => rig.ended.length === 1);
    for (const exitCode of [1, 2, 3]) assert.deepEqual((await rig.run(`exit ${exitCode}`)).end, { exitCode });
    assert.equal(read(join(rig.dir, "ran")), null);
    assert.ok("error" in (rig.ended[0] ?? {}));
  });

  test(`${by}: nothing is left after close()`, async (t) => {
    const rig = new Rig(t, by, { capacity: 6 });
    rig.launcher.want(3);
    await until(() => rig.launcher.idle === 3);
    const pids = [
      rig.launcher.helperPid ?? 0,
      (await rig.take()).identity.pid,
      (await rig.take()).identity.pid,
    ];
    const prepared = await rig.take();
    rig.launcher.prepare(prepared, rig.command("true"));
    await rig.launcher.close();
    for (const pid of [...pids, prepared.identity.pid]) assert.ok(pid === 0 || isGroupEmpty(pid));
    assert.deepEqual(rig.ended, []);
  });
}
