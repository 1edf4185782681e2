import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ProcessIdentity } from "../../src/core/event.ts";
import { inspect, watch } from "../../src/process/adopt.ts";
import type { JobEnd } from "../../src/process/executor.ts";
import { ownIdentity } from "../../src/system/identity.ts";
import { isGroupEmpty, Rig, read, tempDir, until } from "./rig.ts";

const own: ProcessIdentity = { ...ownIdentity(), cookie: "" };
const dead: ProcessIdentity = { ...own, startTime: "1" };

function attempt(t: TestContext, exit: string | null): string {
  const dir = tempDir(t);
  if (exit !== null) writeFileSync(join(dir, "exit"), exit);
  return dir;
}

const rebooted = { ...own, bootId: "another" };
const elsewhere = { ...rebooted, host: "elsewhere", machineId: "another" };
const container = { ...own, pidNamespace: "pid:[1]" };

const untold = { ...own, startTime: "" };
const unanswered = {
  found: "unanswered",
  why: `the system does not tell whether process ${own.pid} is still its own`,
};

/** Lives: this very process. */
const recorder = { pid: own.pid, startTime: own.startTime };

const TABLE: [string, ProcessIdentity, string | null, object][] = [
  ["a status there, the wrapper dead", dead, "3\n", { found: "exited", exitCode: 3 }],
  ["a status there, the wrapper about to end", own, "0\n", { found: "exited", exitCode: 0 }],
  ["alive at its gate", own, null, { found: "alive" }],
  ["alive and begun", own, "", { found: "alive" }],
  ["a process of which the system tells nothing", untold, "", unanswered],
  ["a process of which the system tells nothing, a status", untold, "3\n", { found: "exited", exitCode: 3 }],
  ["dead, never began", dead, null, { found: "never_began" }],
  ["dead, began, no status", dead, "", { found: "lost" }],
  ["dead, a status cut short", dead, "14", { found: "lost" }],
  ["dead, who records it alive", { ...dead, recorder }, "", { found: "alive" }],
  ["dead before it began, who records it alive", { ...dead, recorder }, null, { found: "alive" }],
  [
    "alive, who records it dead",
    { ...own, recorder: { ...recorder, startTime: "0" } },
    "",
    { found: "lost" },
  ],
  ["after a reboot", rebooted, "", { found: "rebooted" }],
  ["after a reboot, with the recorder's pid in use", { ...rebooted, recorder }, "", { found: "rebooted" }],
  ["after a reboot, even with a status", rebooted, "0\n", { found: "rebooted" }],
  ["another host", elsewhere, "", { found: "foreign", exitCode: null }],
  ["another host, a status", elsewhere, "7\n", { found: "foreign", exitCode: 7 }],
  ["another pid namespace", container, null, { found: "foreign", exitCode: null }],
  ["another pid namespace, a status", container, "143\n", { found: "foreign", exitCode: 143 }],
];

for (const [name, identity, exit, expected] of TABLE) {
  test(`found: ${name}`, (t) => assert.deepEqual(inspect(attempt(t, exit), identity), expected));
}

test("a wrapper killed while it is watched: what it left behind is ended, also by its cookie", async (t) => {
  const rig = new Rig(t, "helper");
  const env = { WF_ATTEMPT_ID: "watched-cookie" };
  const step = await rig.start('setsid sh -c "echo \\$\\$ >away; sleep 1000" & sleep 1000', { env });
  const away = Number(await until(() => read(join(rig.dir, "away"))));
  // The launcher would end the group as well: this is about the one that can not know of it.
  const identity = { ...step.process.identity, cookie: "watched-cookie" };
  const end = new Promise<JobEnd>((resolve) => watch(step.dir, identity, resolve));
  for (const { pid } of [identity.recorder ?? identity, identity]) process.kill(pid, "SIGKILL");
  assert.deepEqual(await end, { died: true });
  assert.ok(isGroupEmpty(identity.pid));
  assert.ok(isGroupEmpty(away));
});

test("a watched step that leaves a daemon behind keeps its status", async (t) => {
  const rig = new Rig(t, "spawn");
  const step = await rig.start("until [ -e go ]; do sleep 0.01; done; sleep 1000 & exit 3");
  const identity = { ...step.process.identity, cookie: "" };
  const end = new Promise<JobEnd>((resolve) => watch(step.dir, identity, resolve));
  writeFileSync(join(rig.dir, "go"), "");
  assert.deepEqual(await end, { exitCode: 3 });
  assert.ok(isGroupEmpty(identity.pid));
});

test("an exit file that can not be read ends the watch with why", async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, "exit"));
  const end = await new Promise<JobEnd>((resolve) => watch(dir, own, resolve));
  assert.match("error" in end ? end.error : "", /EISDIR/);
});

test("a watch that was closed says nothing more, and the step goes on", async (t) => {
  const rig = new Rig(t, "helper");
  const step = await rig.start("until [ -e go ]; do sleep 0.01; done; exit 3");
  const ends: JobEnd[] = [];
  const closed = watch(step.dir, { ...step.process.identity, cookie: "" }, (end) => ends.push(end));
  await until(() => existsSync(join(step.dir, "exit")));
  closed.close();
  writeFileSync(join(rig.dir, "go"), "");
  assert.deepEqual(await step.end, { exitCode: 3 });
  assert.deepEqual(ends, []);
});
