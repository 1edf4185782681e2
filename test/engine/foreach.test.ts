import assert from "node:assert/strict";
import * as fs from "node:fs";
import { describe, test } from "node:test";
import { killEngine, letGo, needsLinux, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { projectFor } from "../rig/project.ts";

const FAN = `id: fan
inputs: { names: { type: array, default: [ann, bob, cy] } }
steps:
  - id: list
    run: 'echo "numbers=[3, 1, 2]" >> "$WF_OUTPUT"'
    outputs: { numbers: { type: array } }
  - id: each
    foreach: '{{steps.list.outputs.numbers}}'
    when: item != 1
    run: 'echo "got {{item}} at {{item_index}}"; echo "double=$(({{item}} + {{item}}))" >> "$WF_OUTPUT"'
    outputs: { double: { type: integer } }
  - id: cards
    foreach: '{{inputs.names}}'
    run: 'printf "hello %s" "{{item}}" > "$WF_OUTPUT_CARD"'
    output_files: { card: card.txt }
outputs: { doubles: '{{steps.each.outputs.double}}', cards: '{{steps.cards.outputs.card}}' }
`.replace("$(({{item}} + {{item}}))", '$(expr "{{item}}" "*" 2)');

describe("foreach", () => {
  test("over an output and an input; skipped items are null; artifacts are listed", async (t) => {
    const project = projectFor(t);
    project.write("fan.yaml", FAN);
    const result = await project.wf(["run", "fan.yaml", "--run-id", "r"]);
    assert.equal(result.code, 0, result.stderr);
    const runDir = project.onlyRun();
    const record = readRun(runDir);
    assert.deepEqual(record.outputs, {
      doubles: [6, null, 4],
      cards: [0, 1, 2].map((n) => `steps/cards/item-${n}/attempt-1/outputs/card.txt`),
    });
    assert.deepEqual(record.steps.each.items, { total: 3, succeeded: 2, skipped: 1 });
    assert.equal(fs.readFileSync(`${runDir}/steps/each/item-2/attempt-1/stdout.log`, "utf8"), "got 2 at 2\n");
    assert.equal(fs.existsSync(`${runDir}/steps/each/item-1`), false);
    assert.equal(fs.readFileSync(`${runDir}/${record.outputs.cards[1]}`, "utf8"), "hello bob");
  });

  test("an empty list, and a list that is no list", async (t) => {
    const project = projectFor(t);
    project.write("fan.yaml", FAN);
    assert.equal((await project.wf(["run", "fan.yaml", "--run-id", "empty", "--input", "names=[]"])).code, 0);
    assert.deepEqual(readRun(`${project.runsDir}/empty`).outputs.cards, []);
    project.write(
      "bad.yaml",
      "id: bad\ninputs: [any]\nsteps:\n  - { id: each, foreach: '{{inputs.any}}', run: 'true' }\n",
    );
    const bad = await project.wf(["run", "bad.yaml", "--run-id", "bad", "--input", "any=3"]);
    assert.equal(bad.code, 1, bad.stderr);
    const { reason, steps } = readRun(`${project.runsDir}/bad`);
    assert.equal(reason.code, "FOREACH_INVALID");
    assert.match(reason.message, /foreach needs a list, and \{\{inputs\.any\}\} is a string/);
    assert.equal(steps.each.status, "failed");
  });

  test("a failed item: resume tries it and those that never ran, and no other", async (t) => {
    const project = projectFor(t);
    project.write(
      "f.yaml",
      `id: f
limits: { max_parallel: 1 }
steps:
  - id: fan
    foreach: [a, b, c]
    run: 'echo {{item}} >> effects; test "{{item}}" != b || test -e mended; echo "x={{item}}" >> "$WF_OUTPUT"'
    outputs: [x]
  - { id: after, run: 'echo "{{steps.fan.outputs.x}}" > got' }
`,
    );
    assert.equal((await project.wf(["run", "f.yaml", "--run-id", "r"])).code, 1);
    assert.deepEqual(project.lines("effects"), ["a", "b"]);
    fs.writeFileSync(project.path("mended"), "");
    const result = await project.wf(["resume", "r"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(project.lines("effects"), ["a", "b", "b", "c"]);
    assert.deepEqual(project.lines("got"), ['["a","b","c"]']);
  });

  test("wf next makes one attempt of one item", async (t) => {
    const project = projectFor(t);
    project.write(
      "m.yaml",
      "id: m\nsteps:\n  - { id: ask, type: approval, message: go }\n  - { id: fan, foreach: [1, 2], run: 'echo {{item}} >> more' }\n",
    );
    assert.equal((await project.wf(["run", "m.yaml", "--run-id", "m"])).code, 3);
    assert.equal((await project.wf(["approve", "m", "ask"])).code, 0);
    assert.equal((await project.wf(["next", "m"])).code, 0);
    assert.deepEqual(project.lines("more"), ["1"]);
    assert.equal((await project.wf(["next", "m"])).code, 0);
    assert.deepEqual(project.lines("more"), ["1", "2"]);
    assert.equal(readRun(`${project.runsDir}/m`).status, "succeeded");
  });

  test("an engine that is killed: its items go on, and the next engine adopts them", {
    skip: needsLinux,
  }, async (t) => {
    const project = projectFor(t);
    project.write(
      "k.yaml",
      `id: k
limits: { max_parallel: 2 }
steps:
  - id: fan
    foreach: [a, b, c]
    run: |
      echo {{item}} >> effects
      while [ ! -e "go-{{item}}" ]; do sleep 0.02; done
      echo "x={{item}}" >> "$WF_OUTPUT"
    outputs: [x]
`,
    );
    const engine = project.start(["run", "k.yaml", "--run-id", "r"]);
    await untilAtWork(project, "a");
    await untilAtWork(project, "b");
    const runDir = project.onlyRun();
    await killEngine({ engine, runDir });
    letGo(project, "a");
    for (const item of ["b", "c"]) letGo(project, item);
    const result = await project.wf(["resume", "r"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(project.lines("effects").sort(), ["a", "b", "c"]);
    assert.deepEqual(readRun(runDir).steps.fan.outputs, { x: { value: ["a", "b", "c"] } });
    assert.ok(readJournal(runDir).some(({ event, item }) => event === "attempt_adopted" && item === 1));
  });

  test("10,000 items, all skipped but two: every one in the journal, in its place", async (t) => {
    const project = projectFor(t);
    project.write(
      "big.yaml",
      `id: big
inputs: { n: { type: array } }
steps:
  - { id: fan, foreach: '{{inputs.n}}', when: 'item % 5000 == 0', run: 'echo "x={{item}}" >> "$WF_OUTPUT"', outputs: { x: { type: integer } } }
`,
    );
    const list = JSON.stringify(Array.from({ length: 10_000 }, (_, n) => n));
    fs.writeFileSync(project.path("n.json"), list);
    const result = await project.wf(["run", "big.yaml", "--run-id", "r", "--input", "n=@n.json"]);
    assert.equal(result.code, 0, result.stderr);
    const { steps } = readRun(project.onlyRun());
    assert.deepEqual(steps.fan.items, { total: 10_000, succeeded: 2, skipped: 9_998 });
    assert.equal(steps.fan.outputs.x.value[5000], 5000);
    assert.equal(steps.fan.outputs.x.value[5001], null);
  });
});
