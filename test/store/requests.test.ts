import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { listRequests, writeCancelRequest, writeDecideRequest } from "../../src/store/requests.ts";
import { makeRun, tempDir } from "./helpers.ts";

const asked = { reason: "not needed any more", by: "ann" };

test("a request is found as it was made, under the next free number", (t) => {
  const { runDir } = makeRun(tempDir(t));
  for (let n = 1; n <= 11; n += 1)
    assert.equal(writeCancelRequest(runDir, asked), `control/cancel-${n}.json`);
  fs.rmSync(join(runDir, "control", "cancel-3.json"));
  assert.equal(writeCancelRequest(runDir, asked), "control/cancel-12.json");
  const found = listRequests(runDir);
  assert.deepEqual(
    found.map(({ file }) => Number(/\d+/.exec(file)?.[0])),
    [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
  assert.deepEqual(found[0], { file: "control/cancel-1.json", ok: { request: "cancel", ...asked } });
});

test("the folder for requests may be missing", (t) => {
  const { runDir } = makeRun(tempDir(t));
  fs.rmdirSync(join(runDir, "control"));
  assert.deepEqual(listRequests(runDir), []);
  assert.equal(writeCancelRequest(runDir, asked), "control/cancel-1.json");
});

test("what is no request is refused with why, and blocks nothing", (t) => {
  const { runDir } = makeRun(tempDir(t));
  const control = join(runDir, "control");
  const bad: Record<string, [content: string, why: RegExp]> = {
    "cancel-1.json": ["", /not JSON/],
    "cancel-2.json": ["[]", /not a JSON object/],
    "cancel-3.json": ['{"request":"approve","reason":"","by":""}', /"request" is not "cancel"/],
    "cancel-4.json": ['{"request":"cancel","by":""}', /"reason" is not a text/],
    "cancel-5.json": ['{"request":"cancel","reason":"","by":7}', /"by" is not a text/],
    "cancel-6.json": ['{"request":"cancel","reason":"","by":"","force":true}', /not known: "force"/],
    "cancel-7.json": [`"${"x".repeat(70_000)}"`, /longer than/],
    "cancel-0.json": ['{"request":"cancel","reason":"","by":""}', /its name/],
    "notes.txt": ["", /its name/],
  };
  for (const [name, [content]] of Object.entries(bad)) fs.writeFileSync(join(control, name), content);
  fs.writeFileSync(join(runDir, "elsewhere.json"), JSON.stringify({ request: "cancel", ...asked }));
  fs.symlinkSync("../elsewhere.json", join(control, "cancel-8.json"));
  fs.mkdirSync(join(control, "cancel-9.json"));
  fs.writeFileSync(join(control, ".cancel-1.json.tmp-00-1"), "");

  const found = new Map(listRequests(runDir).map((request) => [request.file, request]));
  assert.equal(found.size, Object.keys(bad).length + 2);
  for (const [name, [, why]] of Object.entries(bad)) {
    const request = found.get(`control/${name}`);
    assert.match(request && "refusedBecause" in request ? request.refusedBecause : "", why, name);
  }
  for (const name of ["cancel-8.json", "cancel-9.json"]) {
    assert.ok("refusedBecause" in (found.get(`control/${name}`) ?? {}), name);
  }
  assert.equal(writeCancelRequest(runDir, asked), "control/cancel-10.json");
});

test("a decision has its own name, numbered per gate attempt, and is read back as it was", (t) => {
  const dir = makeRun(tempDir(t)).runDir;
  const decision = {
    step: "sign_off",
    attempt: 2,
    decision: "reject",
    comment: "too long",
    nonce: "n",
    digest: "d",
    by: "me",
  } as const;
  assert.equal(writeDecideRequest(dir, decision), "control/decide-sign_off-2-1.json");
  assert.equal(writeDecideRequest(dir, decision), "control/decide-sign_off-2-2.json");
  const [first] = listRequests(dir);
  assert.deepEqual(first, {
    file: "control/decide-sign_off-2-1.json",
    ok: { request: "decide", ...decision },
  });
});

test("a rejection without a comment, or a decision that is none, is refused with why", (t) => {
  const dir = makeRun(tempDir(t)).runDir;
  const base = { request: "decide", step: "a", attempt: 1, nonce: "n", digest: "d", by: "me" };
  const put = (n: number, more: object) =>
    fs.writeFileSync(join(dir, `control/decide-a-1-${n}.json`), JSON.stringify({ ...base, ...more }));
  put(1, { decision: "reject", comment: " " });
  put(2, { decision: "maybe", comment: "x" });
  put(3, { decision: "approve" });
  const why = listRequests(dir).map((request) =>
    "refusedBecause" in request ? request.refusedBecause : null,
  );
  assert.deepEqual(why, [
    "a rejection needs a comment",
    "it neither approves nor rejects",
    'its "comment" is not a text',
  ]);
});
