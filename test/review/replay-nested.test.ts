import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { checkFixture, saveFixture } from "../../src/review/fixture.ts";
import { updateFixture } from "../../src/review/fixture-update.ts";
import { replay } from "../../src/review/replay.ts";
import { NO_SECRETS, Secrets } from "../../src/secrets/secrets.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { ship, writeShip } from "./nested-scenario.ts";

const SHIP = "flows/ship.yaml";
const REGION = "flows/flows/region.yaml";
const NOTE = "flows/flows/note.yaml";

/** What is changed in which file, and all that a replay is to say of it: where, what, of which kind. */
const CHANGES: Readonly<
  Record<string, readonly [file: string, from: string, to: string, due: readonly string[]]>
> = {
  "another script of items": [
    SHIP,
    "checks {{item}}",
    "looks at {{item}}",
    [
      "flows/ship.yaml:18 check/item-0, attempt 1, has another script [script]",
      "flows/ship.yaml:18 check/item-1, attempt 1, has another script [script]",
      "flows/ship.yaml:18 check/item-1, attempt 2, has another script [script]",
    ],
  ],
  "another item in the list": [
    SHIP,
    "[eu, us]",
    "[eu, uk]",
    [
      "flows/ship.yaml:25 deploy/item-1 is another item [items]",
      "flows/ship.yaml:25 deploy/item-1 gives its run another region [inputs]",
      "flows/flows/region.yaml:21 deploy/item-1/note is skipped, and ran [path]",
    ],
  ],
  "an item more": [
    SHIP,
    "[eu, us]",
    "[eu, us, uk]",
    ["flows/ship.yaml:25 deploy has 3 items, and had 2 [items]"],
  ],
  "another when of an item": [
    SHIP,
    'item != "db"',
    'item != "web"',
    ["flows/ship.yaml:15 check/item-1 is skipped, and ran [path]"],
  ],
  "another value for a nested run": [
    SHIP,
    "region: '{{item}}'",
    "region: 'x-{{item}}'",
    [
      "flows/ship.yaml:27 deploy/item-0 gives its run another region [inputs]",
      "flows/flows/region.yaml:24 the run of deploy/item-0 has other outputs [end]",
      "flows/ship.yaml:27 deploy/item-1 gives its run another region [inputs]",
      "flows/flows/region.yaml:21 deploy/item-1/note is skipped, and ran [path]",
      "flows/ship.yaml:38 the run has other outputs [end]",
    ],
  ],
  "another script in a step's own workflow": [
    SHIP,
    "is out,",
    "is out now,",
    ["flows/ship.yaml:36 tell/say, attempt 1, has another script [script]"],
  ],
  "another question in a step's own workflow": [
    SHIP,
    "Tell of",
    "Speak of",
    ["flows/ship.yaml:34 tell/ask, attempt 1, has another message [gate]"],
  ],
  "another script in a nested file": [
    REGION,
    "from $WF_RUN_DIR",
    "out of $WF_RUN_DIR",
    [
      "flows/flows/region.yaml:12 deploy/item-0/push, attempt 1, has another script [script]",
      "flows/flows/region.yaml:12 deploy/item-1/push, attempt 1, has another script [script]",
    ],
  ],
  "another list in a nested file": [
    REGION,
    "[1, 2]",
    "[1, 3]",
    [
      "flows/flows/region.yaml:17 deploy/item-0/probe/item-1 is another item [items]",
      "flows/flows/region.yaml:17 deploy/item-1/probe/item-1 is another item [items]",
    ],
  ],
  "another when in a nested file": [
    REGION,
    '== "us"',
    '== "eu"',
    [
      "flows/flows/region.yaml:21 deploy/item-0/note runs, and was skipped [path]",
      "flows/flows/region.yaml:21 deploy/item-1/note is skipped, and ran [path]",
    ],
  ],
  "other outputs of a nested file": [
    REGION,
    "url: 'https",
    "url: 'http",
    [
      "flows/flows/region.yaml:25 the run of deploy/item-0 has other outputs [end]",
      "flows/flows/region.yaml:25 the run of deploy/item-1 has other outputs [end]",
      "flows/ship.yaml:38 the run has other outputs [end]",
    ],
  ],
  "another script two runs deep": [
    NOTE,
    'echo "{{inputs.text}}"',
    'echo "{{inputs.text}}."',
    ["flows/flows/note.yaml:5 deploy/item-1/note/write, attempt 1, has another script [script]"],
  ],
  "a step two runs deep is gone": [
    NOTE,
    "- id: write",
    "- id: scribble",
    ["kept/workflows/flows/note.yaml:4 the step deploy/item-1/note/write is not there any more [path]"],
  ],
};

test("a replay answers items and replays nested runs; a fixture of them is checked and brought up to date", async (t) => {
  const project = projectFor(t);
  const run = await ship(project, { id: "r" });
  const fixture = project.path("kept");
  await saveFixture(run, "r", fixture, NO_SECRETS);
  const file = project.path(SHIP);
  for (const path of [run, fixture]) {
    const { differences, notes, counts } = await replay({ path, name: path, workflow: file });
    assert.deepEqual([differences, notes], [[], []]);
    assert.deepEqual(counts, { attempts: 17, skipped: 2, decisions: 1, passedOver: 0 });
  }

  for (const [what, [changed, from, to, due]] of Object.entries(CHANGES)) {
    await t.test(what, async () => {
      writeShip(project, (text) => text);
      const path = project.path(changed);
      const text = fs.readFileSync(path, "utf8");
      assert.ok(text.includes(from));
      fs.writeFileSync(path, text.replace(from, to));
      assert.deepEqual(await toldOf(project, fixture, file), due);
    });
  }

  await t.test("what it says wrongly is found, in nested runs too", async () => {
    writeShip(project);
    assert.deepEqual(await foundIn(fixture, file), []);
    for (const [path, from, to, due] of DAMAGES) {
      const broken = project.path("broken");
      fs.cpSync(fixture, broken, { recursive: true });
      const text = fs.readFileSync(join(broken, path), "utf8");
      assert.ok(text.includes(from), `${path} has no ${from}`);
      fs.writeFileSync(join(broken, path), text.replace(from, to));
      assert.deepEqual(await foundIn(broken, file), due);
      fs.rmSync(broken, { recursive: true });
    }
    for (const [path, due] of MISSING) {
      const broken = project.path("broken");
      fs.cpSync(fixture, broken, { recursive: true });
      fs.rmSync(join(broken, path), { recursive: true });
      assert.deepEqual((await foundIn(broken, file)).slice(0, 1), [due], path);
      fs.rmSync(broken, { recursive: true });
    }
  });

  await t.test(
    "it is brought up to changed texts, and to nothing that the steps would do otherwise",
    async () => {
      writeShip(project, (text) => text.replace("[eu, us]", "[eu, uk]"));
      const before = digestOf(fixture);
      await assert.rejects(updateFixture(fixture, "kept", file), /deploy\/item-1 is another item/);
      assert.equal(digestOf(fixture), before);
      const words = [
        ["checks {{item}}", "looks at {{item}}"],
        ["Tell of", "Speak of"],
        ["from $WF_RUN_DIR", "out of $WF_RUN_DIR"],
        ['echo "{{inputs.text}}"', 'echo "{{inputs.text}}."'],
      ] as const;
      writeShip(project, (text) => words.reduce((all, [from, to]) => all.replace(from, to), text));
      const { changed } = await updateFixture(fixture, "kept", file);
      assert.deepEqual(
        changed.filter((path) => /script|gate|yaml/.test(path)),
        [
          "steps/check/item-0/attempt-1/script.sh",
          "steps/check/item-1/attempt-1/script.sh",
          "steps/check/item-1/attempt-2/script.sh",
          "steps/deploy/item-0/attempt-1/run/steps/push/attempt-1/script.sh",
          "steps/deploy/item-1/attempt-1/run/steps/note/attempt-1/run/steps/write/attempt-1/script.sh",
          "steps/deploy/item-1/attempt-1/run/steps/push/attempt-1/script.sh",
          "steps/tell/attempt-1/run/steps/ask/attempt-1/gate.json",
          "workflow.yaml",
          "workflows/flows/note.yaml",
          "workflows/flows/region.yaml",
        ],
      );
      assert.deepEqual(await foundIn(fixture, file), []);
      assert.deepEqual((await updateFixture(fixture, "kept", file)).changed, []);
    },
  );

  await t.test("a secret in a nested run is refused", async () => {
    const secrets = new Secrets(new Map([["token", "shipped to us"]]));
    await assert.rejects(saveFixture(run, "r", project.path("leaky"), secrets), (error: Error) => {
      assert.match(JSON.stringify(error), /deploy\/item-1\/attempt-1\/run\/steps\/note/);
      return true;
    });
    assert.ok(!fs.existsSync(project.path("leaky")));
  });
});

const NOTED = "steps/deploy/item-1/attempt-1/run/steps/note/attempt-1/run";

/** A file of the fixture, what is changed in it, and all that a check is to say. */
const DAMAGES: readonly (readonly [path: string, from: string, to: string, due: readonly string[]])[] = [
  [
    `${NOTED}/steps/write/attempt-1/outputs/note.txt`,
    "shipped",
    "dropped",
    [`${NOTED}/steps/write/attempt-1/outputs/note.txt: its size and digest are not those that were recorded`],
  ],
  [
    `${NOTED}/run.json`,
    '"status": "succeeded",\n  "reason"',
    '"status": "failed",\n  "reason"',
    [`${NOTED}/run.json: its status is not what the journal says`],
  ],
  [
    "steps/tell/attempt-1/run/steps/ask/attempt-1/gate.json",
    "Tell of",
    "Sell of",
    [
      "steps/tell/attempt-1/run/steps/ask/attempt-1/gate.json: its digest is not that of its message and of what it shows",
      "tell/ask, attempt 1, has another message",
    ],
  ],
  [
    "steps/deploy/item-0/attempt-1/run/progress.ndjson",
    "https://eu.example",
    "https://xx.example",
    [
      "steps/deploy/item-0/attempt-1/run/run.json: its outputs is not what the journal says",
      "steps/deploy/item-0/attempt-1/run: its outputs are not those of its attempt",
      "the run of deploy/item-0 has other outputs",
    ],
  ],
  [
    "steps/check/item-1/attempt-2/attempt.json",
    '"succeeded"',
    '"failed"',
    ["steps/check/item-1/attempt-2/attempt.json: it is not what the journal says"],
  ],
];

/** What is taken out of it, and the first that a check is to say. */
const MISSING: readonly (readonly [path: string, due: string])[] = [
  [`${NOTED}/run.json`, `${NOTED}/run.json: it is missing, or no JSON object`],
  [`${NOTED}/progress.ndjson`, `${NOTED}/progress.ndjson: it is missing`],
  [NOTED, `${NOTED}: it is missing, and is the run of note`],
  [
    "steps/check/item-1/attempt-1",
    "steps/check/item-1/attempt-1/attempt.json: it is missing, or no JSON object",
  ],
  [
    `${NOTED}/steps/write/attempt-1/outputs/note.txt`,
    `${NOTED}/steps/write/attempt-1/outputs/note.txt: it is missing, and is the output note of write`,
  ],
  [
    "steps/tell/attempt-1/run/steps/say/attempt-1/script.sh",
    "the record has no script.sh of tell/say, attempt 1",
  ],
];

async function foundIn(folder: string, workflow: string): Promise<string[]> {
  const { findings, replayed } = await checkFixture(folder, folder, workflow);
  const found = findings
    .filter(({ kind }) => kind !== "page")
    .map(({ path, message }) => `${path}: ${message}`);
  return [...found, ...(replayed?.differences ?? []).map(({ message }) => message)];
}

async function toldOf(project: Project, path: string, workflow: string): Promise<string[]> {
  const { differences } = await replay({ path, name: path, workflow });
  return differences.map(({ kind, message, place }) => {
    const where = place === null ? "nowhere" : `${relative(project.dir, place.file)}:${place.line}`;
    return `${where} ${message} [${kind}]`;
  });
}
