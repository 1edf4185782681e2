import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ENTRIES } from "../../src/cli/catalog.ts";
import type { Args, Command } from "../../src/cli/command.ts";
import { parsePlain } from "../../src/cli/parse.ts";
import { parseByYargs } from "../../src/cli/yargs.ts";

const WORD = fc.constantFrom(
  "a",
  "w.yaml",
  "a=b",
  "a=@-",
  "1e3",
  "0x10",
  "007",
  "true",
  '"q"',
  "'q'",
  "é ü",
  "a.b=c",
  "x\ny",
);
const ODD = fc.constantFrom(
  "",
  "-",
  "--",
  "-x",
  "--nope",
  "--no-json",
  "-i",
  "--input=",
  "--json=true",
  "--=",
  "[]",
  "-ij",
);

for (const { name, load } of ENTRIES) {
  test(`wf ${name}: a plain line is what yargs says it is`, async () => {
    const { command } = await load();
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(lines(command), async (argv) => {
        const found = parsePlain(command, argv);
        if (found === null) return;
        plain += 1;
        const expected = await parseByYargs(command, [name, ...argv]);
        assert.notEqual(expected, null);
        assert.deepEqual(told(found, command), told(expected as Args, command), JSON.stringify(argv));
      }),
      { numRuns: 80 },
    );
    assert.ok(plain > 8 || command.usage.includes("|"), `${plain} of 80 were plain`);
  });
}

/** Command lines of which some are right. */
function lines(command: Command): fc.Arbitrary<string[]> {
  const options = Object.entries(command.options).map(([name, { kind, alias, choices }]) => {
    const written = fc.constantFrom(`--${name}`, ...(alias === undefined ? [] : [`-${alias}`]));
    if (kind === "flag") return written.map((each) => [each]);
    const value = choices === undefined ? WORD : fc.constantFrom(...choices, "none");
    const apart = fc.tuple(written, value).map((both) => [...both]);
    return fc.oneof(
      apart,
      value.map((each) => [`--${name}=${each}`]),
    );
  });
  const words = command.usage.split(" ").slice(1);
  const likely = fc.oneof(
    ...options,
    WORD.map((each) => [each]),
  );
  const odd = ODD.map((each) => [each]);
  const rest = fc.array(fc.oneof({ weight: 12, arbitrary: likely }, { weight: 1, arbitrary: odd }), {
    maxLength: 4,
  });
  const own = fc.tuple(
    ...words.map((word) => (word.startsWith("[") ? fc.constantFrom([], ["a"]) : fc.constant(["a"]))),
  );
  return fc
    .tuple(own, rest, fc.boolean())
    .map(([given, more, first]) => (first ? [...given, ...more] : [...more, ...given]).flat());
}

/** All that a command can ask of its arguments. */
function told(args: Args, command: Command): unknown {
  const options = Object.entries(command.options).map(([name, { kind }]) => [
    name,
    kind === "flag" ? args.flag(name) : kind === "list" ? args.list(name) : args.text(name),
  ]);
  const words = command.usage
    .split(" ")
    .slice(1)
    .map((word) => {
      const name = word.replace(/[[\]…]/g, "");
      return [name, word.includes("…") ? args.list(name) : args.text(name)];
    });
  return [...options, ...words];
}
