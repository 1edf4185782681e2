import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { type Identity, isAlive, isSafePid, ownIdentity, readProcess } from "../../src/system/identity.ts";
import { until } from "../rig/wait.ts";

const own = ownIdentity();

test("this process is alive and knows itself", () => {
  assert.equal(isAlive(own), "alive");
  const facts = readProcess(process.pid);
  assert.deepEqual([facts?.ppid, facts?.startTime], [process.ppid, own.startTime]);
  assert.notEqual(own.startTime, "");
  assert.notEqual(own.bootId, "");
});

test("a program's name may hold spaces and parentheses", {
  skip: process.platform !== "linux",
}, async (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), "wf-identity-"));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const program = join(folder, "a) S 1 (b");
  fs.copyFileSync("/bin/sleep", program);
  const child = spawn(program, ["600"], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  const facts = await until(() => readProcess(child.pid as number), "the process");
  assert.equal(facts.ppid, process.pid);
  assert.match(facts.startTime, /^\d+$/);
  assert.ok(Number(facts.startTime) >= Number(own.startTime));
});

test("a zombie is dead", { skip: process.platform !== "linux" }, async (t) => {
  // The shell can not reap its child: it has become a program that never does, before the child is let go.
  const parent = spawn("sh", ["-c", "read x <&3 & echo $!; exec sleep 600"], {
    stdio: ["ignore", "pipe", "ignore", "pipe"],
  });
  t.after(() => parent.kill("SIGKILL"));
  const [output] = await once(parent.stdout as Readable, "data");
  const name = () => fs.readFileSync(`/proc/${parent.pid}/comm`, "utf8");
  await until(() => name() === "sleep\n", "the shell to become another program");
  (parent.stdio[3] as Writable).write("\n");
  const pid = Number(String(output));
  const { startTime } = await until(() => {
    const facts = readProcess(pid);
    return facts?.state === "Z" && facts;
  }, "the child to end");
  assert.equal(isAlive({ ...own, pid, startTime }), "dead");
});

const cases: [what: string, change: Partial<Identity>, self: Partial<Identity>, expected: string][] = [
  ["another start time", { startTime: "1" }, {}, "dead"],
  ["no such process", { pid: 2 ** 22 + 1 }, {}, "dead"],
  ["no start time", { startTime: "" }, {}, "unknown"],
  ["another pid namespace", { pidNamespace: "pid:[1]" }, {}, "unknown"],
  ["another boot of this machine", { bootId: "b", machineId: "m" }, { machineId: "m" }, "dead"],
  ["another boot, machine not known", { bootId: "b", machineId: "" }, { machineId: "" }, "unknown"],
  ["another boot, another host", { bootId: "b", machineId: "m", host: "h" }, { machineId: "m" }, "unknown"],
  ["another boot, another machine", { bootId: "b", machineId: "n" }, { machineId: "m" }, "unknown"],
  ["no boot id on either side", { bootId: "", machineId: "m" }, { bootId: "", machineId: "m" }, "unknown"],
];
for (const [what, change, self, expected] of cases) {
  test(`${what}: ${expected}`, () => {
    assert.equal(isAlive({ ...own, ...change }, { ...own, ...self }), expected);
  });
}

test("pids that must never be signalled", () => {
  for (const pid of [-1, 0, 1, 1.5, Number.NaN]) assert.equal(isSafePid(pid), false);
  assert.equal(isSafePid(2), true);
  assert.equal(readProcess(0), null);
  assert.equal(readProcess(-1), null);
});
