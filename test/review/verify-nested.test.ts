import assert from "node:assert/strict";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isDamaged, verifyRun } from "../../src/review/verify.ts";
import { projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { ship } from "./nested-scenario.ts";

const ITEM = "steps/check/item-1/attempt-2";
const DEPLOY = "steps/deploy/item-0/attempt-1";
const US = "steps/deploy/item-1/attempt-1";
const EU = `${DEPLOY}/run`;
const NOTE = `${US}/run/steps/note/attempt-1/run`;
const TELL = "steps/tell/attempt-1/run";

/** What is found, as `rule path`. */
async function damageOf(runDir: string): Promise<string[]> {
  const verified = await verifyRun(runDir);
  assert.ok(verified.kind === "current");
  const damage = verified.findings.filter(({ level }) => level === "damage");
  return [...new Set(damage.map(({ rule, path }) => `${rule} ${path}`))].sort();
}

const edit = (file: string, from: string | RegExp, to: string) => (run: string) => {
  const text = fs.readFileSync(join(run, file), "utf8");
  const changed = text.replace(from, to);
  assert.notEqual(changed, text, `there is no ${from} in ${file}`);
  fs.writeFileSync(join(run, file), changed);
};
const remove = (file: string) => (run: string) => fs.rmSync(join(run, file), { recursive: true });
const add = (file: string) => (run: string) => {
  fs.mkdirSync(dirname(join(run, file)), { recursive: true });
  fs.writeFileSync(join(run, file), "added\n");
};
const lines = (file: string, change: (lines: string[]) => string[]) => (run: string) => {
  const path = join(run, file);
  fs.writeFileSync(path, `${change(fs.readFileSync(path, "utf8").split("\n").slice(0, -1)).join("\n")}\n`);
};
/** Another run than the one that belongs there. */
const swap = (a: string, b: string) => (run: string) => {
  fs.renameSync(join(run, a), `${run}-aside`);
  fs.renameSync(join(run, b), join(run, a));
  fs.renameSync(`${run}-aside`, join(run, b));
};

/** What is done to a sound run, and everything that verify is to say of it. */
const DAMAGES: Readonly<Record<string, readonly [(run: string) => void, readonly string[]]>> = {
  // Items.
  "an item's record is edited": [
    edit(`${ITEM}/attempt.json`, '"succeeded"', '"failed"'),
    [`attempt-record ${ITEM}/attempt.json`],
  ],
  "an item's artifact is edited": [
    edit(`${ITEM}/outputs/report.txt`, "fine", "five"),
    [`artifact-intact ${ITEM}/outputs/report.txt`],
  ],
  "an item's script is edited": [
    edit("steps/check/item-0/attempt-1/script.sh", "checks", "chocks"),
    ["attempt-script steps/check/item-0/attempt-1/script.sh"],
  ],
  "an item's attempt is missing": [
    remove("steps/check/item-1/attempt-1"),
    ["attempt-folder steps/check/item-1/attempt-1"],
  ],
  "an item is missing": [
    remove("steps/check/item-1"),
    ["attempt-folder steps/check/item-1/attempt-1", "attempt-folder steps/check/item-1/attempt-2"],
  ],
  "an attempt of an item is added": [
    add("steps/check/item-0/attempt-3/script.sh"),
    ["attempt-folder steps/check/item-0/attempt-3"],
  ],
  "an item is added": [
    add("steps/check/item-7/attempt-1/script.sh"),
    ["attempt-folder steps/check/item-7/attempt-1"],
  ],
  "a file stands among the items": [add("steps/check/item-x"), ["known-names steps/check/item-x"]],
  "a step without items has one": [
    add("steps/build/item-0/attempt-1/exit"),
    ["known-names steps/build/item-0"],
  ],
  "a line of an item names one that the list does not have": [
    lines("progress.ndjson", (all) =>
      all.map((line) => line.replace('"item":2,"because"', '"item":5,"because"')),
    ),
    ["journal-story progress.ndjson"],
  ],
  "an item starts twice, and another never": [
    lines("progress.ndjson", (all) =>
      all.map((line) =>
        line.replace('"item":1,"attempt":1,"cause":"first"}', '"item":0,"attempt":1,"cause":"first"}'),
      ),
    ),
    ["journal-story progress.ndjson"],
  ],
  // Nested runs.
  "a nested run is missing": [remove(EU), [`nested-run ${EU}`]],
  "a nested journal is missing": [
    remove(`${EU}/progress.ndjson`),
    [`journal-readable ${EU}/progress.ndjson`],
  ],
  "a line of a nested journal is dropped": [
    lines(`${EU}/progress.ndjson`, (all) => all.toSpliced(3, 1)),
    [`journal-order ${EU}/progress.ndjson`],
  ],
  "a nested snapshot is edited": [
    edit(`${EU}/run.json`, '"status": "succeeded",\n  "reason"', '"status": "failed",\n  "reason"'),
    [`snapshot-intact ${EU}/run.json`],
  ],
  "an artifact of a nested run is edited": [
    edit(`${EU}/steps/push/attempt-1/outputs/log.txt`, "log", "lug"),
    [`artifact-intact ${EU}/steps/push/attempt-1/outputs/log.txt`],
  ],
  "an item's log in a nested run is missing": [
    remove(`${EU}/steps/probe/item-1/attempt-1/stdout.log`),
    [`attempt-log ${EU}/steps/probe/item-1/attempt-1/stdout.log`],
  ],
  "an artifact two runs deep is missing": [
    remove(`${NOTE}/steps/write/attempt-1/outputs/note.txt`),
    [`artifact-intact ${NOTE}/steps/write/attempt-1/outputs/note.txt`],
  ],
  "a nested definition is edited": [
    edit(`${EU}/workflow.yaml`, "probe {{item}}", "prove {{item}}"),
    [`definition-intact ${EU}/workflow.yaml`],
  ],
  "what a nested definition names is missing": [
    remove(`${EU}/workflows/note.yaml`),
    [`definition-files ${EU}/workflows/note.yaml`],
  ],
  "a nested gate is edited": [
    edit(`${TELL}/steps/ask/attempt-1/gate.json`, "Tell of", "Sell of"),
    [`gate-intact ${TELL}/steps/ask/attempt-1/gate.json`],
  ],
  "a nested decision is missing": [
    remove(`${TELL}/control/decide-ask-1-1.json`),
    [`request-intact ${TELL}/control/decide-ask-1-1.json`],
  ],
  "a nested claim is removed": [
    remove(`${TELL}/lock/owner-1.json`),
    [`claim-kept ${TELL}/lock/free-1`, `claim-kept ${TELL}/lock/owner-1.json`],
  ],
  "a file is added to a nested run": [add(`${EU}/notes.txt`), [`known-names ${EU}/notes.txt`]],
  "a run is added to a step that has none": [
    add("steps/build/attempt-1/run/progress.ndjson"),
    ["known-names steps/build/attempt-1/run"],
  ],
  "two nested runs stand in each other's place": [
    swap(`${DEPLOY}/run`, `${US}/run`),
    [`nested-run ${DEPLOY}/run`, `nested-run ${US}/run`],
  ],
  "a nested run of another workflow": [
    (run) => {
      fs.rmSync(join(run, TELL), { recursive: true });
      fs.cpSync(join(run, NOTE), join(run, TELL), { recursive: true });
    },
    [`nested-run ${TELL}`],
  ],
  // An attempt that says otherwise than its run, in all places alike.
  "an attempt's record claims another output than its run has": [
    everywhere((text) => text.replace(/https:\/\/eu\.example/g, "https://ex.example"), [`${EU}/`]),
    [`nested-run ${EU}`],
  ],
};

/** Changes the records of the outermost run, so that only the nested one disagrees. */
function everywhere(change: (text: string) => string, leaveOut: readonly string[]): (run: string) => void {
  return (run) => {
    for (const path of fs.readdirSync(run, { recursive: true, encoding: "utf8" })) {
      if (leaveOut.some((each) => path.startsWith(each)) || !/\.(?:json|ndjson)$/.test(path)) continue;
      const text = fs.readFileSync(join(run, path), "utf8");
      if (change(text) !== text) fs.writeFileSync(join(run, path), change(text));
    }
  };
}

test("every damage of items and of nested runs is found and named with its path; a repair reaches in", async (t) => {
  const project = projectFor(t);
  const sound = await ship(project, { id: "r" });
  assert.deepEqual(await damageOf(sound), []);
  for (const [what, [damage, due]] of Object.entries(DAMAGES)) {
    await t.test(what, async () => {
      const run = project.path("damaged");
      fs.cpSync(sound, run, { recursive: true });
      damage(run);
      const found = await damageOf(run);
      fs.rmSync(run, { recursive: true, force: true });
      assert.deepEqual(found, due);
    });
  }
  await t.test("what the journals are enough for is written again, the rest put aside", async () => {
    const before = digestOf(sound, isOfEngines);
    remove(`${EU}/run.json`)(sound);
    remove(`${NOTE}/steps/write/attempt-1/attempt.json`)(sound);
    add(`${EU}/steps/probe/item-0/attempt-1/notes.txt`)(sound);
    remove("steps/check/item-1/attempt-2/attempt.json")(sound);
    const repaired = await project.wf(["verify", sound, "--repair"]);
    assert.equal(repaired.code, 0, repaired.stderr);
    assert.deepEqual(repaired.stdout.split("\n\n")[0]?.split("\n"), [
      "steps/check/item-1/attempt-2/attempt.json: written again from the journal",
      `${EU}/steps/probe/item-0/attempt-1/notes.txt: moved to ${EU}/quarantine/1/steps/probe/item-0/attempt-1/notes.txt`,
      `${EU}/run.json: written again from the journal`,
      `${NOTE}/steps/write/attempt-1/attempt.json: written again from the journal`,
    ]);
    assert.equal(digestOf(sound, isOfEngines), before);
    const again = await verifyRun(sound);
    assert.ok(again.kind === "current" && !isDamaged(again.findings));
  });
});

const isOfEngines = (path: string) => /(?:^|\/)(?:lock|quarantine)$/.test(path);
