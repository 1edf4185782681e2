import assert from "node:assert/strict";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { verifyRun } from "../../src/review/verify.ts";
import { Rig } from "../cli/rig.ts";
import { makeRich, makeWaiting } from "./rich.ts";

/** What is found, as `rule path`, without the notes. */
async function damageOf(runDir: string): Promise<string[]> {
  const verified = await verifyRun(runDir);
  assert.ok(verified.kind === "current");
  const damage = verified.findings.filter(({ level }) => level === "damage");
  return [...new Set(damage.map(({ rule, path, line }) => `${rule} ${path}${line ? `:${line}` : ""}`))];
}

const flip = (text: string, from: string | RegExp, to: string) => {
  const changed = text.replace(from, to);
  assert.notEqual(changed, text, `there is no ${from}`);
  return changed;
};
const edit = (file: string, from: string | RegExp, to: string) => (run: string) =>
  fs.writeFileSync(join(run, file), flip(fs.readFileSync(join(run, file), "utf8"), from, to));
const remove = (file: string) => (run: string) => fs.rmSync(join(run, file), { recursive: true });
const add = (file: string) => (run: string) => {
  fs.mkdirSync(dirname(join(run, file)), { recursive: true });
  fs.writeFileSync(join(run, file), "added\n");
};
const link = (file: string) => (run: string) => {
  fs.renameSync(join(run, file), `${run}-moved`);
  fs.symlinkSync(`${run}-moved`, join(run, file));
};
const swapKind = (file: string) => (run: string) => {
  const isFile = fs.statSync(join(run, file)).isFile();
  fs.rmSync(join(run, file), { recursive: true });
  if (isFile) fs.mkdirSync(join(run, file));
  else fs.writeFileSync(join(run, file), "");
};
const lines = (change: (lines: string[]) => string[]) => (run: string) => {
  const path = join(run, "progress.ndjson");
  const all = fs.readFileSync(path, "utf8").split("\n").slice(0, -1);
  fs.writeFileSync(path, `${change(all).join("\n")}\n`);
};
const swapped = (all: string[]) => {
  const [a = "", b = ""] = all.splice(4, 2);
  return all.toSpliced(4, 0, b, a);
};

const MAKE = "steps/make/attempt-1";
const ASK = "steps/ask/attempt-1";
const GATE = "steps/sign_off/attempt-1";

/** What is done to a sound run, and everything that verify is to say of it. */
const DAMAGES: Readonly<Record<string, readonly [(run: string) => void, readonly string[]]>> = {
  // The journal.
  "a line of the journal is dropped": [
    lines((all) => all.toSpliced(4, 1)),
    ["journal-order progress.ndjson:5"],
  ],
  "the first line is dropped": [lines((all) => all.slice(1)), ["journal-readable progress.ndjson:1"]],
  "the last line is dropped": [lines((all) => all.slice(0, -1)), ["snapshot-ahead run.json"]],
  "two lines are swapped": [lines(swapped), ["journal-order progress.ndjson:5"]],
  "a line stands twice": [
    lines((all) => all.toSpliced(4, 0, all[4] ?? "")),
    ["journal-order progress.ndjson:6"],
  ],
  "a line of another run stands between": [
    lines((all) => all.toSpliced(4, 0, (all[4] ?? "").replace('"run":"r"', '"run":"q"'))),
    ["journal-order progress.ndjson:5"],
  ],
  "a byte of the journal is flipped, and it is no JSON any more": [
    lines((all) => all.with(4, (all[4] ?? "").replace('"seq"', '"seq'))),
    ["journal-line progress.ndjson:5"],
  ],
  "a byte of the journal is flipped in a key": [
    lines((all) => all.with(2, flip(all[2] ?? "", '"cause"', '"cauze"'))),
    ["journal-line progress.ndjson:3"],
  ],
  "a byte of the journal is flipped in a value that the schema knows": [
    lines((all) => all.with(2, flip(all[2] ?? "", '"cause":"first"', '"cause":"fjrst"'))),
    ["journal-line progress.ndjson:3"],
  ],
  "a byte of the journal is flipped in an event's name": [
    lines((all) => all.with(3, flip(all[3] ?? "", '"attempt_ended"', '"attempt_endfd"'))),
    ["journal-line progress.ndjson:4"],
  ],
  "a byte of the journal is flipped in a value that stands elsewhere too": [
    lines((all) => all.with(3, flip(all[3] ?? "", '"exitCode":0', '"exitCode":1'))),
    [`attempt-record ${MAKE}/attempt.json:4`, `attempt-exit ${MAKE}/exit`],
  ],
  "a byte of the journal is flipped in an attempt's number": [
    lines((all) => all.with(5, flip(all[5] ?? "", '"attempt":1', '"attempt":3'))),
    [
      "journal-story progress.ndjson:6",
      "journal-story progress.ndjson:7",
      "attempt-folder steps/flaky/attempt-3",
    ],
  ],
  "a byte of the journal is not UTF-8": [
    (run) => {
      const bytes = fs.readFileSync(join(run, "progress.ndjson"));
      bytes[bytes.indexOf('"project"')] = 0xff;
      fs.writeFileSync(join(run, "progress.ndjson"), bytes);
    },
    ["journal-line progress.ndjson:1"],
  ],
  "the journal is cut in its last line": [
    (run) =>
      fs.truncateSync(join(run, "progress.ndjson"), fs.statSync(join(run, "progress.ndjson")).size - 9),
    ["journal-line progress.ndjson:27", "snapshot-ahead run.json"],
  ],
  "half a line is added to the journal of an engine that came to a clean end": [
    (run) => fs.appendFileSync(join(run, "progress.ndjson"), '{"seq":'),
    ["journal-end progress.ndjson:28"],
  ],
  "the journal is empty": [
    (run) => fs.truncateSync(join(run, "progress.ndjson")),
    ["journal-readable progress.ndjson", "snapshot-ahead run.json"],
  ],
  "a transition leads elsewhere": [
    lines((all) => all.with(4, flip(all[4] ?? "", '"to":"flaky"', '"to":"publish"'))),
    [
      "journal-story progress.ndjson:5",
      "journal-story progress.ndjson:6",
      "journal-story progress.ndjson:11",
    ],
  ],
  // The snapshot.
  "run.json's status is edited": [
    edit("run.json", '"status": "succeeded",\n  "reason"', '"status": "failed",\n  "reason"'),
    ["snapshot-intact run.json"],
  ],
  "a digest in run.json is edited": [
    edit("run.json", /"sha256": "[0-9a-f]/, '"sha256": "g'),
    ["snapshot-intact run.json"],
  ],
  "run.json says a wrong length": [
    edit("run.json", /"journalBytes": \d+/, '"journalBytes": 100'),
    ["snapshot-intact run.json"],
  ],
  "run.json is of another layout": [
    edit("run.json", '"runId": ', '"runId":  '),
    ["snapshot-intact run.json"],
  ],
  "run.json is no JSON": [edit("run.json", "{", "["), ["snapshot-intact run.json"]],
  "run.json names another format": [edit("run.json", "wf.run/1", "wf.run/2"), ["snapshot-intact run.json"]],
  "run.json is missing": [remove("run.json"), ["snapshot-intact run.json"]],
  "run.json is a folder": [swapKind("run.json"), ["file-kind run.json"]],
  "run.json is a link": [link("run.json"), ["file-kind run.json"]],
  // The definition.
  "workflow.yaml is edited": [
    edit("workflow.yaml", "echo done", "echo dome"),
    ["definition-intact workflow.yaml"],
  ],
  "workflow.yaml is missing": [remove("workflow.yaml"), ["definition-intact workflow.yaml"]],
  "a prompt's copy is edited": [
    edit("prompts/prompts/ask.md", "Answer", "Bnswer"),
    [`attempt-script ${ASK}/prompt.md`],
  ],
  "a prompt's copy is missing": [
    remove("prompts/prompts/ask.md"),
    ["definition-files prompts/prompts/ask.md"],
  ],
  // The attempts.
  "an attempt.json is edited": [
    edit(`${MAKE}/attempt.json`, '"succeeded"', '"failed"'),
    [`attempt-record ${MAKE}/attempt.json:4`],
  ],
  "an attempt.json is missing": [remove(`${MAKE}/attempt.json`), [`attempt-record ${MAKE}/attempt.json`]],
  "an attempt.json is empty": [
    (run) => fs.truncateSync(join(run, MAKE, "attempt.json")),
    [`attempt-record ${MAKE}/attempt.json:4`],
  ],
  "an exit status is changed": [edit(`${MAKE}/exit`, "0", "1"), [`attempt-exit ${MAKE}/exit`]],
  "an exit status is removed": [remove(`${MAKE}/exit`), [`attempt-exit ${MAKE}/exit`]],
  "a log is cut": [
    (run) => fs.truncateSync(join(run, MAKE, "stdout.log"), 3),
    [`attempt-log ${MAKE}/stdout.log`],
  ],
  "a log is missing": [remove(`${MAKE}/stderr.log`), [`attempt-log ${MAKE}/stderr.log`]],
  "a script is edited": [
    edit(`${MAKE}/script.sh`, "planned", "plannee"),
    [`attempt-script ${MAKE}/script.sh`],
  ],
  "a script is missing": [remove(`${MAKE}/script.sh`), [`attempt-files ${MAKE}/script.sh`]],
  "a prompt is edited": [edit(`${ASK}/prompt.md`, "Answer", "Bnswer"), [`attempt-script ${ASK}/prompt.md`]],
  "a prompt is missing": [remove(`${ASK}/prompt.md`), [`attempt-files ${ASK}/prompt.md`]],
  "a context is edited": [
    edit(`${ASK}/context.json`, '"1.0"', '"1.1"'),
    [`attempt-files ${ASK}/context.json`],
  ],
  "an agent's record is edited": [
    edit(`${ASK}/agent.json`, '"echo"', '"echo'),
    [`attempt-files ${ASK}/agent.json`],
  ],
  "an attempt's folder is missing": [
    remove("steps/flaky/attempt-1"),
    ["attempt-folder steps/flaky/attempt-1"],
  ],
  "an attempt's folder is a file": [swapKind("steps/flaky/attempt-1"), ["file-kind steps/flaky/attempt-1"]],
  "an attempt's folder is a link": [link("steps/flaky/attempt-1"), ["file-kind steps/flaky/attempt-1"]],
  "a log is a link": [link(`${MAKE}/stdout.log`), [`file-kind ${MAKE}/stdout.log`]],
  // The artifacts.
  "a byte of an artifact is flipped": [
    edit(`${MAKE}/outputs/plan.txt`, "plan", "plbn"),
    [`artifact-intact ${MAKE}/outputs/plan.txt`],
  ],
  "an artifact is cut": [
    (run) => fs.truncateSync(join(run, MAKE, "outputs/plan.txt"), 3),
    [`artifact-intact ${MAKE}/outputs/plan.txt`],
  ],
  "an artifact is missing": [
    remove(`${MAKE}/outputs/plan.txt`),
    [`artifact-intact ${MAKE}/outputs/plan.txt`],
  ],
  "an artifact is a link": [link(`${MAKE}/outputs/plan.txt`), [`artifact-intact ${MAKE}/outputs/plan.txt`]],
  "a link leads to an artifact": [
    link(`${MAKE}/outputs/in`),
    [`artifact-intact ${MAKE}/outputs/in/deep.txt`],
  ],
  // The gates and the requests.
  "what a gate showed is edited": [
    edit(`${GATE}/gate.json`, "Publish", "Bublish"),
    [`gate-intact ${GATE}/gate.json`],
  ],
  "a gate's nonce is edited": [
    edit(`${GATE}/gate.json`, /"nonce": "[0-9a-f]{16}"/, '"nonce": "0000000000000000"'),
    ["request-intact control/decide-sign_off-1-1.json:20"],
  ],
  "a gate is missing": [remove(`${GATE}/gate.json`), [`gate-intact ${GATE}/gate.json`]],
  "a decision is edited": [
    edit("control/decide-sign_off-1-1.json", '"fine"', '"fime"'),
    ["request-intact control/decide-sign_off-1-1.json:20"],
  ],
  "a decision is missing": [
    remove("control/decide-sign_off-1-1.json"),
    ["request-intact control/decide-sign_off-1-1.json"],
  ],
  // The claims.
  "a claim is removed": [
    remove("lock/owner-1.json"),
    ["claim-kept lock/owner-1.json", "claim-kept lock/free-1"],
  ],
  "the newest claim is removed": [
    remove("lock/owner-2.json"),
    ["claim-kept lock/owner-2.json", "claim-kept lock/free-2"],
  ],
  "lock/ is removed": [remove("lock"), ["claim-kept lock/owner-1.json", "claim-kept lock/owner-2.json"]],
  "a claim is edited": [edit("lock/owner-1.json", '"pid": ', '"pid": 1'), ["claim-intact lock/owner-1.json"]],
  "a claim is no JSON": [edit("lock/owner-1.json", "{", "["), ["claim-intact lock/owner-1.json"]],
  "a claim names another epoch": [
    edit("lock/owner-1.json", '"epoch": 1', '"epoch": 2'),
    ["claim-intact lock/owner-1.json"],
  ],
  "a clean end is not empty": [
    (run) => fs.writeFileSync(join(run, "lock/free-1"), "x"),
    ["claim-intact lock/free-1"],
  ],
  // What has no place.
  "a file is added to the run": [add("notes.txt"), ["known-names notes.txt"]],
  "a folder is added to the run": [add("notes/a.txt"), ["known-names notes"]],
  "a file is added to lock/": [add("lock/a"), ["known-names lock/a"]],
  "a file is added to control/": [add("control/a"), ["known-names control/a"]],
  "a file is added to prompts/": [add("prompts/a"), ["known-names prompts/a"]],
  "a file is added to steps/": [add("steps/a"), ["known-names steps/a"]],
  "a file is added to a step": [add("steps/make/a"), ["known-names steps/make/a"]],
  "an attempt is added": [add("steps/make/attempt-2/script.sh"), ["attempt-folder steps/make/attempt-2"]],
  "a file is added to an attempt": [add(`${MAKE}/a`), [`known-names ${MAKE}/a`]],
  "a gate is added to a step that has none": [add(`${MAKE}/gate.json`), [`known-names ${MAKE}/gate.json`]],
  "a file stands in place of control/": [
    swapKind("control"),
    ["request-intact control/decide-sign_off-1-1.json", "file-kind control"],
  ],
};

test("every damage is found and named, and nothing else is", async (t) => {
  const rig = new Rig(t);
  const sound = await makeRich(rig);
  assert.deepEqual(await damageOf(sound), []);
  for (const [what, [damage, due]] of Object.entries(DAMAGES)) {
    await t.test(what, async () => {
      const run = rig.path("damaged");
      fs.cpSync(sound, run, { recursive: true });
      damage(run);
      const found = await damageOf(run);
      for (const path of [run, `${run}-moved`]) fs.rmSync(path, { recursive: true, force: true });
      assert.deepEqual(found, due);
    });
  }
});

/** The same for a run that waits. */
const OF_A_WAITING_RUN: typeof DAMAGES = {
  "what an open gate shows is edited": [
    edit(`${GATE}/gate.json`, "Publish", "Bublish"),
    [`gate-intact ${GATE}/gate.json`],
  ],
  "an open gate is missing": [remove(`${GATE}/gate.json`), [`gate-intact ${GATE}/gate.json`]],
  "an open gate's folder is missing": [remove(GATE), [`attempt-folder ${GATE}`]],
  "run.json says that the run goes on": [
    edit("run.json", '"status": "waiting",\n  "reason"', '"status": "running",\n  "reason"'),
    ["snapshot-intact run.json"],
  ],
};

test("every damage of a waiting run is found and named; what a person edited and decided on is a note", async (t) => {
  const rig = new Rig(t);
  const sound = await makeWaiting(rig);
  assert.deepEqual(await damageOf(sound), []);
  for (const [what, [damage, due]] of Object.entries(OF_A_WAITING_RUN)) {
    const run = rig.path("damaged");
    fs.cpSync(sound, run, { recursive: true });
    damage(run);
    const found = await damageOf(run);
    fs.rmSync(run, { recursive: true });
    assert.deepEqual(found, due, what);
  }
  edit(`${MAKE}/outputs/plan.txt`, "plan", "better plan")(sound);
  assert.deepEqual(await damageOf(sound), [`artifact-intact ${MAKE}/outputs/plan.txt`]);
  // The gate showed another plan: it is opened anew, with what is there now.
  assert.equal((await rig.wf(["approve", "r", "--comment", "as it was", "--resume"])).code, 2);
  assert.deepEqual(await damageOf(sound), []);
  const verified = await verifyRun(sound);
  assert.ok(verified.kind === "current");
  assert.deepEqual(
    verified.findings.map(({ path, message }) => [path, message]),
    [
      [
        `${MAKE}/outputs/plan.txt`,
        "it was edited after make/1 ended; what is there now was shown by sign_off/2",
      ],
    ],
  );
});

test("a run that went on with another definition is held against both, and each attempt against its own", async (t) => {
  const rig = new Rig(t);
  const text = (last: string) => `id: two
steps:
  - id: first
    run: echo first
  - id: second
    run: ${last}
`;
  rig.write("two.yaml", text("exit 3"));
  assert.equal((await rig.wf(["run", "two.yaml", "--run-id", "r"])).code, 1);
  rig.write("two.yaml", text("echo better"));
  assert.equal((await rig.wf(["resume", "r", "--workflow", "two.yaml"])).code, 0);
  const sound = rig.path(".wf/runs/r");
  assert.deepEqual(await damageOf(sound), []);
  const damages: typeof DAMAGES = {
    "the second definition is edited": [
      edit("definitions/2/workflow.yaml", "better", "worse"),
      ["definition-intact definitions/2/workflow.yaml"],
    ],
    "the second definition is missing": [
      remove("definitions/2/workflow.yaml"),
      ["definition-intact definitions/2/workflow.yaml"],
    ],
    "a script of the first definition is edited": [
      edit("steps/second/attempt-1/script.sh", "3", "4"),
      ["attempt-script steps/second/attempt-1/script.sh"],
    ],
    "a file is added to the second definition": [
      add("definitions/2/notes.txt"),
      ["known-names definitions/2/notes.txt"],
    ],
  };
  for (const [what, [damage, due]] of Object.entries(damages)) {
    const run = rig.path("damaged");
    fs.cpSync(sound, run, { recursive: true });
    damage(run);
    const found = await damageOf(run);
    fs.rmSync(run, { recursive: true });
    assert.deepEqual(found, due, what);
  }
  // A crash before the journal could name it leaves one.
  add("definitions/3/workflow.yaml")(sound);
  assert.deepEqual(await damageOf(sound), []);
});
