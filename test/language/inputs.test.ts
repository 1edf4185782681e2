import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "../../src/core/json.ts";
import { type GivenInput, parseInputFile, resolveInputs } from "../../src/language/inputs.ts";
import { workflow } from "./rig.ts";

const declared = workflow(`id: w
inputs:
  text: { type: string, optional: true }
  flag: { type: boolean, default: false }
  count: { type: integer, minimum: 1, default: 1, description: How many }
  ratio: { type: number, default: 0.5 }
  list: { type: array, items: { type: integer }, default: [] }
  map: { type: object, default: {} }
  maybe: { type: [integer, 'null', string], optional: true }
  any: { optional: true }
steps: [{ id: a, run: x }]`);

const argument = (name: string, value: string): GivenInput => ({ name, value, from: "argument" });
const file = (name: string, value: Json): GivenInput => ({ name, value, from: "file" });

function resolve(...given: GivenInput[]): Record<string, Json> | string[] {
  const resolved = resolveInputs(declared, given);
  return resolved.ok
    ? { ...resolved.inputs }
    : resolved.problems.map(({ code, message }) => `${code} ${message}`);
}

test("without anything there are defaults, and null for what is optional", () => {
  assert.deepEqual(resolve(), {
    text: null,
    flag: false,
    count: 1,
    ratio: 0.5,
    list: [],
    map: {},
    maybe: null,
    any: null,
  });
});

const typed: [string, string, Json][] = [
  ["text", "7", "7"],
  ["text", "", ""],
  ["flag", "true", true],
  ["count", "7", 7],
  ["count", "1e3", 1000],
  ["ratio", "-1.50", -1.5],
  ["list", "[1, 2]", [1, 2]],
  ["map", '{"a": {"b": null}}', { a: { b: null } }],
  ["maybe", "7", 7],
  ["maybe", "null", null],
  ["maybe", "seven", "seven"],
  ["any", "7", "7"],
  ["any", "true", "true"],
];
for (const [name, text, value] of typed) {
  test(`${name}=${text} is ${JSON.stringify(value)}`, () => {
    assert.deepEqual((resolve(argument(name, text)) as Record<string, Json>)[name], value);
  });
}

const refused: [string, string, RegExp][] = [
  ["flag", "yes", /must be true or false, it is "yes"/],
  ["flag", "True", /must be true or false/],
  ["count", "01", /a whole number that needs no rounding, it is "01"/],
  ["count", "1.5", /a whole number, it is "1.5"/],
  ["count", "9007199254740993", /needs no rounding/],
  ["count", "0", /must be >= 1/],
  ["ratio", "0.1234567890123456789", /needs no rounding/],
  ["ratio", "1e999", /needs no rounding/],
  ["ratio", "", /must be a number/],
  ["list", "1, 2", /must be a list in JSON/],
  ["list", "{}", /must be a list in JSON/],
  ["list", '[1, "x"]', /at 1 must be integer/],
  ["map", '{"a": 1, "a": 2}', /stands here twice/],
  ["map", '{"__proto__": 1}', /can not be used as a key/],
  ["map", '{"a": 9007199254740993}', /would be rounded/],
  ["map", "a: 1", /must be an object in JSON/],
];
for (const [name, text, message] of refused) {
  test(`${name}=${text} is refused`, () => {
    const found = resolve(argument(name, text)) as string[];
    assert.equal(found.length, 1);
    assert.match(found[0] ?? "", message);
    assert.match(found[0] ?? "", new RegExp(`^INPUT_INVALID the input "${name}" `));
  });
}

test("an argument goes before a file; a file's values keep their type", () => {
  assert.deepEqual((resolve(file("count", 3), argument("count", "4")) as Record<string, Json>).count, 4);
  assert.deepEqual((resolve(argument("count", "4"), file("count", 3)) as Record<string, Json>).count, 4);
  assert.deepEqual((resolve(file("any", { a: 1 })) as Record<string, Json>).any, { a: 1 });
  assert.deepEqual(resolve(file("count", "3")), ['INPUT_INVALID the input "count" must be integer']);
});

test("all that is wrong is said at once", () => {
  const needy = workflow(
    "id: w\ninputs: { version: { type: string }, dry: { type: boolean, default: true } }\nsteps: [{ id: a, run: x }]",
  );
  const resolved = resolveInputs(needy, [
    argument("verson", "1"),
    argument("dry", "no"),
    argument("dry", "true"),
  ]);
  assert.ok(!resolved.ok);
  assert.deepEqual(
    resolved.problems.map(({ code, message, hint }) => [code, message, hint]),
    [
      [
        "INPUT_UNKNOWN",
        'the workflow has no input "verson"',
        'did you mean "version"? inputs of this workflow: version, dry',
      ],
      ["INPUT_REPEATED", 'the input "dry" is given twice', "give each input once"],
      [
        "INPUT_MISSING",
        'the input "version" is missing',
        "inputs of this workflow: version (string); dry (boolean, default true)",
      ],
    ],
  );
});

const secretive = workflow(`id: w
inputs:
  token: { type: string, secret: true, description: For the registry }
  api-key: { secret: true, optional: true, pattern: '^key-' }
  plain: { type: string, optional: true }
steps: [{ id: a, run: x }]`);
const TOKEN = "correct horse";

function resolveSecret(secrets: Record<string, string>, ...given: GivenInput[]) {
  const resolved = resolveInputs(secretive, given, new Map(Object.entries(secrets)));
  return resolved.ok
    ? resolved.inputs
    : resolved.problems.map(({ code, message, hint }) => `${code} ${message} (${hint})`);
}

test("a secret is named in the inputs, its value is not there", () => {
  const found = resolveSecret({ token: TOKEN, "api-key": "key-12345" });
  assert.deepEqual(found, { token: { $secret: "token" }, "api-key": { $secret: "api-key" }, plain: null });
  assert.deepEqual(resolveSecret({ token: TOKEN }), {
    token: { $secret: "token" },
    "api-key": null,
    plain: null,
  });
});

const secretRows: [string, Record<string, string>, GivenInput[], string[]][] = [
  [
    "missing",
    {},
    [],
    [
      'SECRET_MISSING the secret "token" is missing (set WF_SECRET_TOKEN, or give `--secret token=@file`; token: For the registry)',
    ],
  ],
  [
    "too short",
    { token: "1234567" },
    [],
    [
      'SECRET_TOO_SHORT the secret "token" is shorter than 8 characters (so short a text would be hidden in output where it means nothing)',
    ],
  ],
  [
    "unknown, and no secret",
    { token: TOKEN, tokne: TOKEN, plain: TOKEN },
    [],
    [
      'INPUT_UNKNOWN the workflow has no secret "tokne" (did you mean "token"? secrets of this workflow: token, api-key)',
      'INPUT_INVALID the input "plain" is not a secret (give it by `--input`, or declare it with `secret: true`)',
    ],
  ],
  [
    "of another form",
    { token: TOKEN, "api-key": TOKEN },
    [],
    ['INPUT_INVALID the secret "api-key" must match pattern "^key-" (undefined)'],
  ],
  [
    "given like an input",
    {},
    [argument("token", TOKEN), file("api-key", TOKEN)],
    [
      'INPUT_INVALID the input "token" is a secret, and can not come by `--input` (set WF_SECRET_TOKEN, or give `--secret token=@file`; token: For the registry)',
      'INPUT_INVALID the input "api-key" is a secret, and can not come by a file of inputs (set WF_SECRET_API_KEY, or give `--secret api-key=@file`)',
    ],
  ],
];
for (const [what, secrets, given, expected] of secretRows) {
  test(`secrets: ${what}`, () => assert.deepEqual(resolveSecret(secrets, ...given), expected));
}

test("no problem shows a secret, not even one in a file of inputs", () => {
  const parsed = parseInputFile({ path: "in.yaml", bytes: Buffer.from(`token: ${TOKEN}\n`) });
  assert.ok(parsed.ok);
  const resolved = resolveInputs(secretive, parsed.inputs, new Map([["api-key", TOKEN]]));
  assert.ok(!resolved.ok);
  assert.deepEqual(resolved.problems[0].position, { file: "in.yaml", line: 1, column: 1 });
  assert.ok(!JSON.stringify(resolved.problems).includes(TOKEN));
});

test("a file of inputs is one map, and is as strict as a workflow", () => {
  const parse = (text: string) => parseInputFile({ path: "in.yaml", bytes: Buffer.from(text) });
  const good = parse("a: 1\nb: { c: [true, null, x] }\n");
  assert.ok(good.ok);
  assert.deepEqual(
    good.inputs.map(({ name, value, position }) => [name, value, position?.line]),
    [
      ["a", 1, 1],
      ["b", { c: [true, null, "x"] }, 2],
    ],
  );
  for (const [text, code] of [
    ["- a", "WRONG_TYPE"],
    ["a: 1\na: 2", "DUPLICATE_KEY"],
    ["a: 9007199254740993", "NUMBER_UNSAFE"],
    ["__proto__: 1", "FORBIDDEN_KEY"],
    ["", "YAML_DOCUMENTS"],
  ]) {
    const bad = parse(text ?? "");
    assert.ok(!bad.ok);
    assert.equal(bad.problems[0].code, code);
  }
});

test("a problem with an input from a file says where it stands", () => {
  const parsed = parseInputFile({ path: "in.yaml", bytes: Buffer.from("text: x\ncuont: 2\n") });
  assert.ok(parsed.ok);
  const resolved = resolveInputs(declared, parsed.inputs);
  assert.ok(!resolved.ok);
  assert.deepEqual(resolved.problems[0].position, { file: "in.yaml", line: 2, column: 1 });
});

test("any JSON value comes through an argument as it is", () => {
  const value = fc
    .jsonValue({ noUnicodeString: true })
    .filter((each) => typeof each === "object" && each !== null && !Array.isArray(each));
  fc.assert(
    fc.property(value, (each) => {
      fc.pre(!/__proto__|constructor|prototype/.test(JSON.stringify(each)));
      const text = JSON.stringify(each);
      const resolved = resolve(argument("map", text));
      if (Array.isArray(resolved)) assert.match(resolved.join(), /rounded|not allowed here/);
      else assert.deepEqual(resolved.map, JSON.parse(text));
    }),
  );
});
