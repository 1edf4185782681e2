import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import {
  ATTEMPT_FILES,
  attemptPath,
  CREATING_PREFIX,
  cancelRequest,
  decideRequest,
  LOCK_FILES,
  PRUNING_PREFIX,
  RUN_FILES,
  tornFile,
} from "../../src/store/layout.ts";
import { code, read, rows, section } from "./markdown.ts";

const ajv = new Ajv2020({ strict: false });
for (const name of ["attempt", "run", "inputs"])
  ajv.addSchema(JSON.parse(read(`schemas/${name}.schema.json`)));

const page = read("docs/run-directory.md");

test("every file name of the layout has an entry, and every entry a name in the layout", () => {
  const epoch = "<epoch>" as unknown as number;
  const n = "<n>" as unknown as number;
  const layout = [
    `${CREATING_PREFIX}<id>-<pid>-<start time>`,
    `${PRUNING_PREFIX}<id>-<pid>-<start time>`,
    ...Object.values(RUN_FILES),
    tornFile(n),
    cancelRequest(n),
    decideRequest("<step>", "<attempt>" as unknown as number, n),
    LOCK_FILES.owner(epoch),
    LOCK_FILES.free(epoch),
    LOCK_FILES.heartbeat,
    attemptPath({ step: "<step>", attempt: n }),
    ...Object.values(ATTEMPT_FILES),
  ];
  const entries = rows(section(page, "## Files")).map(([name = ""]) => code(name)[0]?.replace(/\/$/, ""));
  assert.deepEqual(entries.sort(), layout.sort());
});

test("every entry of a file says who writes it, what it means and when it is there", () => {
  for (const cells of rows(section(page, "## Files"))) {
    assert.equal(cells.length, 4, cells[0]);
    for (const cell of cells) assert.notEqual(cell, "", cells[0]);
  }
});

interface EventSchema {
  readonly oneOf: readonly {
    readonly properties: Readonly<Record<string, { const?: string; enum?: readonly string[] }>>;
  }[];
}

test("every event of the journal has an entry with its keys, in the order in which they are written", () => {
  const head = ["seq", "at", "epoch", "run", "event"];
  const { oneOf } = JSON.parse(read("schemas/event.schema.json")) as EventSchema;
  const known = oneOf.flatMap(({ properties }) => {
    const names = properties.event?.enum ?? [properties.event?.const ?? ""];
    return names.map((name) => [name, Object.keys(properties).filter((key) => !head.includes(key))]);
  });
  const entries = rows(section(page, "## The journal")).map(([name = "", keys = ""]) => [
    code(name)[0],
    code(keys),
  ]);
  assert.deepEqual(Object.fromEntries(entries), Object.fromEntries(known));
});

for (const [heading, schema] of [
  ["## run.json", "run"],
  ["## attempt.json", "attempt"],
  ["## inputs.json", "inputs"],
] as const) {
  test(`${heading.slice(3)}: every key has an entry, and the example has the keys in their order`, () => {
    const text = section(page, heading);
    const { properties } = JSON.parse(read(`schemas/${schema}.schema.json`)) as { properties: object };
    const keys = Object.keys(properties);
    assert.deepEqual(
      rows(text).flatMap(([name = ""]) => code(name)),
      keys,
    );
    const example: object = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? "");
    const present = Object.keys(example);
    assert.deepEqual(
      present,
      keys.filter((key) => present.includes(key)),
    );
    ajv.validate(`${schema}.schema.json`, example);
    assert.deepEqual(ajv.errors ?? [], []);
  });
}
