import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { WRAPPER_FILES } from "../../src/process/wrapper.ts";
import { ATTEMPT_FILES } from "../../src/store/layout.ts";
import { isGroupEmpty, Rig, read, until } from "./rig.ts";

test("the wrapper's files are the layout's", () => {
  const { exit, stdout, stderr } = ATTEMPT_FILES;
  assert.deepEqual(WRAPPER_FILES, { exit, stdout, stderr });
});

/** The descriptor by which `sh` reads its script varies. */
const numbers = (list: string | null) =>
  (list ?? "")
    .split("\n")
    .filter((fd) => fd !== "10")
    .join(" ");

for (const by of ["helper", "spawn"] as const) {
  test(`${by}: a command's output and status are in its folder, and its group is gone`, async (t) => {
    const rig = new Rig(t, by);
    const { process: launched, dir, end } = await rig.start("echo out; echo err >&2; pwd; exit 3");
    assert.deepEqual(await end, { exitCode: 3 });
    assert.equal(read(join(dir, "exit")), "3\n");
    assert.equal(read(join(dir, "stdout.log")), `out\n${rig.dir}\n`);
    assert.equal(read(join(dir, "stderr.log")), "err\n");
    assert.throws(() => process.kill(-launched.identity.pid, 0));
  });

  test(`${by}: the pid in advance is the leader of the command's own group`, async (t) => {
    const rig = new Rig(t, by);
    const { process: launched, dir, end } = await rig.start("cut -d' ' -f5 /proc/self/stat");
    await end;
    assert.equal(read(join(dir, "stdout.log")), `${launched.identity.pid}\n`);
  });

  test(`${by}: a command whose gate is closed never runs, before and after it was handed over`, async (t) => {
    const rig = new Rig(t, by, { capacity: 2 });
    for (const prepared of [false, true]) {
      const launched = await rig.take();
      const command = rig.command(`touch ${rig.dir}/ran`);
      if (prepared) rig.launcher.prepare(launched, command);
      rig.launcher.discard(launched);
      await until(() => isGroupEmpty(launched.identity.pid));
      assert.equal(read(join(command.attemptDir, "exit")), null);
    }
    assert.equal(read(join(rig.dir, "ran")), null);
    assert.deepEqual(rig.ended, []);
    assert.deepEqual((await rig.run("exit 4")).end, { exitCode: 4 });
  });

  test(`${by}: a command that was handed over does not begin before the gate opens`, async (t) => {
    const rig = new Rig(t, by);
    const launched = await rig.take();
    const command = rig.command("true");
    rig.launcher.prepare(launched, command);
    // The logs are made last before the gate.
    await until(() => read(join(command.attemptDir, "stderr.log")) !== null);
    assert.equal((await rig.run("true")).end !== undefined, true);
    assert.equal(read(join(command.attemptDir, "exit")), null);
    rig.launcher.open(launched);
    await until(() => rig.ended.length === 2);
    assert.equal(read(join(command.attemptDir, "exit")), "0\n");
  });

  test(`${by}: more commands than channels, two at once`, async (t) => {
    const rig = new Rig(t, by, { capacity: 2 });
    const ends = await Promise.all(Array.from({ length: 12 }, (_, i) => rig.run(`exit ${i}`)));
    assert.deepEqual(
      ends.map(({ end }) => end),
      ends.map((_, exitCode) => ({ exitCode })),
    );
  });

  test(`${by}: a command sees its three standard descriptors and no other`, async (t) => {
    const rig = new Rig(t, by, { capacity: 12 });
    rig.launcher.want(10);
    await until(() => rig.launcher.idle === 10);
    const { dir } = await rig.run("ls /proc/$$/fd");
    // What this test itself was given without close-on-exec, every process under it has.
    const ours = spawnSync("/bin/sh", ["-c", "ls /proc/$$/fd"], { encoding: "utf8" }).stdout;
    assert.equal(numbers(read(join(dir, "stdout.log"))), numbers(ours));
  });

  test(`${by}: no signal is ignored or blocked for a command`, async (t) => {
    const rig = new Rig(t, by);
    const { dir } = await rig.run("exec grep -E '^Sig(Ign|Blk)' /proc/self/status");
    assert.doesNotMatch(read(join(dir, "stdout.log")) ?? "", /[1-9a-f]/);
  });

  test(`${by}: standard input is empty, or the file that was given`, async (t) => {
    const rig = new Rig(t, by);
    const stdin = join(rig.dir, "in put");
    writeFileSync(stdin, "said\n");
    assert.equal(read(join((await rig.run("cat")).dir, "stdout.log")), "");
    assert.equal(read(join((await rig.run("cat /dev/stdin", { stdin })).dir, "stdout.log")), "said\n");
  });

  test(`${by}: a folder that can not be entered or written is said, and nothing ran`, async (t) => {
    const rig = new Rig(t, by, { capacity: 2 });
    const gone = await rig.run("true", { cwd: join(rig.dir, "nowhere") });
    assert.deepEqual(gone.end, { error: "its working folder can not be entered" });
    const blocked = rig.command("true");
    mkdirSync(join(blocked.attemptDir, "stdout.log"));
    const { end } = await rig.run("true", { attemptDir: blocked.attemptDir });
    assert.deepEqual(end, { error: "it was stopped before it began, or its log files could not be made" });
    assert.equal(read(join(blocked.attemptDir, "exit")), null);
    // Each has cost a channel; there are as many as before.
    const ends = await Promise.all([rig.run("exit 1"), rig.run("exit 2"), rig.run("exit 3")]);
    assert.deepEqual(
      ends.map(({ end }) => end),
      [{ exitCode: 1 }, { exitCode: 2 }, { exitCode: 3 }],
    );
  });

  test(`${by}: a status that can not be written (disk full) is an error, not a success`, async (t) => {
    const rig = new Rig(t, by);
    const { attemptDir } = rig.command("true");
    symlinkSync("/dev/full", join(attemptDir, "exit"));
    const { end } = await rig.run("true", { attemptDir });
    assert.deepEqual(end, { error: "its exit status could not be written" });
  });

  test(`${by}: a shell that has vanished is status 127`, async (t) => {
    const rig = new Rig(t, by);
    const { dir, end } = await rig.run("", { argv: ["/nowhere/sh"] });
    assert.deepEqual(end, { exitCode: 127 });
    assert.match(read(join(dir, "stderr.log")) ?? "", /\/nowhere\/sh/);
  });

  test(`${by}: paths with spaces, quotes and newlines`, async (t) => {
    const rig = new Rig(t, by);
    const odd = join(rig.dir, 'it\'s "a"\n$(odd) -né');
    mkdirSync(join(odd, "attempt"), { recursive: true });
    writeFileSync(join(odd, "attempt", "script.sh"), "pwd; exit 5\n");
    const argv = ["/bin/sh", join(odd, "attempt", "script.sh")];
    const { end } = await rig.run("", { attemptDir: join(odd, "attempt"), cwd: odd, argv });
    assert.deepEqual(end, { exitCode: 5 });
    assert.equal(read(join(odd, "attempt", "stdout.log")), `${odd}\n`);
  });
}
