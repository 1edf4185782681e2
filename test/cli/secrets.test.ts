import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Rig } from "./rig.ts";

const SECRET = "a-very-long-secret";
const PUBLISH = `id: publish
inputs:
  token: { secret: true }
  to: { type: string, default: here }
steps:
  - { id: ask, message: 'Publish?' }
  - { id: send, run: 'test "{{inputs.token}}" = a-very-long-secret; echo "sent with {{inputs.token}}"' }
`;

test("a secret is never given as an argument, and what was given is not repeated", async (t) => {
  const rig = new Rig(t);
  rig.write("publish.yaml", PUBLISH);
  for (const args of [
    ["--secret", `token=${SECRET}`],
    ["--input", `token=${SECRET}`],
  ]) {
    const { code, stdout, stderr } = await rig.wf(["run", "publish.yaml", ...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /\[(USAGE|INPUT_INVALID)\]/);
    assert.doesNotMatch(stderr, new RegExp(SECRET));
  }
  const missing = await rig.wf(["run", "publish.yaml"]);
  assert.deepEqual([missing.code, /\[SECRET_MISSING\]/.test(missing.stderr)], [2, true]);
  const shared = await rig.wf(["run", "publish.yaml", "--secret", "token=@-", "--input", "to=@-"]);
  assert.match(shared.stderr, /standard input can be the value of one input only/);
  assert.equal(existsSync(rig.path(".wf/runs")), false);
});

test("--secret name=@file: run, approve --resume and resume need it; status shows that it is one", async (t) => {
  const rig = new Rig(t);
  rig.write("publish.yaml", PUBLISH);
  rig.write("token", `${SECRET}\n`);
  const secret = ["--secret", "token=@token"];
  const run = await rig.wf(["run", "publish.yaml", "--run-id", "r", ...secret]);
  assert.equal(run.code, 3, run.stderr);
  const { stdout } = await rig.wf(["status", "r", "--inputs"]);
  assert.match(stdout, /^inputs {4}token \(secret\)\n {10}to \(string\) = "here"$/m);
  assert.match((await rig.wf(["approve", "r", ...secret])).stderr, /--secret is of use with --resume only/);
  const without = await rig.wf(["approve", "r", "--resume"]);
  assert.deepEqual([without.code, /\[SECRET_MISSING\]/.test(without.stderr)], [2, true]);
  assert.equal((await rig.wf(["cancel", "r"])).code, 2);
  assert.deepEqual(readdirSync(rig.path(".wf/runs/r/control")), []);
  assert.equal((await rig.wf(["approve", "r"])).code, 0);
  const resumed = await rig.wf(["resume", "r", ...secret]);
  assert.equal(resumed.code, 0, resumed.stdout + resumed.stderr);
  assert.equal(rig.read(".wf/runs/r/steps/send/attempt-1/stdout.log"), "sent with ***\n");

  await rig.wf(["run", "publish.yaml", "--run-id", "s", ...secret]);
  assert.equal((await rig.wf(["approve", "s", "--resume", ...secret])).code, 0);
  await rig.wf(["run", "publish.yaml", "--run-id", "n", ...secret]);
  await rig.wf(["approve", "n"]);
  assert.equal((await rig.wf(["next", "n", ...secret])).code, 0);
});
