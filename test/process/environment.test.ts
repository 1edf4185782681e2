import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isEnvironmentName, quote } from "../../src/process/environment.ts";
import { Rig } from "./rig.ts";

/** Byte for byte what the program was started with. */
const SHOW = ["/bin/cat", "/proc/self/environ"];

/** What stands between quotes, what a shell reads as its own, and what its own coding of strings could take. */
const value = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc
    .array(
      fc.constantFrom(
        ..."'\"`$\\!#~*?[]{}()<>|&;= \t\n\r-\u0001\u007f\u0081\u0088é😀\ufeff",
        "$(touch /tmp/x)",
        "$" + "{HOME}",
        "\n\n",
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join("")),
);
const text = value.map((v) => Buffer.from(v.replaceAll("\0", "")).toString());

function entries(environ: string): string[] {
  return environ.split("\0").filter((entry) => entry !== "" && !entry.startsWith("_="));
}

function expected(env: Record<string, string | undefined>): string[] {
  return entries(
    Object.entries(env)
      .flatMap(([name, v]) => (v === undefined ? [] : [`${name}=${v}`]))
      .join("\0"),
  );
}

async function environmentOf(rig: Rig, env: Record<string, string | null>): Promise<string[]> {
  const { dir, end } = await rig.run("", { argv: SHOW, env });
  assert.deepEqual(end, { exitCode: 0 });
  return entries(readFileSync(join(dir, "stdout.log"), "utf8")).sort();
}

for (const by of ["helper", "spawn"] as const) {
  test(`${by}: any values, a step's and inherited ones, arrive byte for byte`, async (t) => {
    const values = fc.array(text, { minLength: 24, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(values, values, async (inherited, own) => {
        const base = Object.fromEntries(inherited.map((v, i) => [`BASE_${i}`, v]));
        const step = Object.fromEntries(own.map((v, i) => [`OWN_${i}`, v]));
        const rig = new Rig(t, by, { env: { PATH: process.env.PATH, ...base } });
        const seen = await environmentOf(rig, step);
        await rig.launcher.close();
        assert.deepEqual(seen, expected({ PATH: process.env.PATH, ...base, ...step }).sort());
      }),
      { numRuns: 25 },
    );
  });

  test(`${by}: variables that mean something to a shell arrive as they are, and mean nothing to ours`, async (t) => {
    const special = {
      PATH: process.env.PATH,
      IFS: "x/",
      PWD: "/nowhere",
      OLDPWD: "/elsewhere",
      SHLVL: "41",
      ENV: "/nowhere/env",
      BASH_ENV: "/dev/full",
      PS1: "$(touch /tmp/ps1)",
      PS4: "+++",
      CDPATH: "/usr",
      LANG: "en_US.UTF-8",
      LC_ALL: "C.UTF-8",
      LC_CTYPE: "ja_JP.SJIS",
      HOME: "/nowhere",
      TMOUT: "1",
      UID: "5",
      EUID: "6",
      PPID: "7",
      SHELLOPTS: "xtrace:noclobber",
      BASHOPTS: "extglob",
      POSIXLY_CORRECT: "1",
      RANDOM: "r",
      SECONDS: "s",
      OPTIND: "abc",
      LINENO: "x",
      GLOBIGNORE: "*",
      FUNCNEST: "1",
      BASH_VERSION: "0",
      "BASH_FUNC_read%%": "() { exit 9; }",
      "BASH_FUNC_echo%%": "() { exit 9; }",
      "foo-bar": "baz",
      "-i": "option",
      "a b\nc": "d",
      wf__a: "a",
      wf__n: "n",
    };
    const inherited = new Rig(t, by, { env: special });
    assert.deepEqual(await environmentOf(inherited, {}), expected(special).sort());
    const own = new Rig(t, by, { env: { PATH: process.env.PATH } });
    assert.deepEqual(await environmentOf(own, special as Record<string, string>), expected(special).sort());
    const taken = new Rig(t, by, { env: special });
    const away = Object.fromEntries(Object.keys(special).map((name) => [name, null]));
    assert.deepEqual(await environmentOf(taken, away), []);
  });

  test(`${by}: with nothing given a step has nothing`, async (t) => {
    assert.deepEqual(await environmentOf(new Rig(t, by, { env: {} }), {}), []);
  });

  test(`${by}: a step's shell sees what it would see if it were started directly`, async (t) => {
    const env = { ...process.env, LC_ALL: "C" };
    const rig = new Rig(t, by, { env });
    const argv = ["/bin/sh", "-c", "env; set"];
    const { dir } = await rig.run("", { argv });
    const direct = spawnSync(argv[0] as string, argv.slice(1), {
      cwd: rig.dir,
      env,
      encoding: "utf8",
    }).stdout;
    const stable = (output: string) =>
      output.split("\n").filter((line) => !/^(?:_|PPID|RANDOM|SECONDS|EPOCH\w*|SRANDOM|BASHPID)=/.test(line));
    assert.deepEqual(stable(readFileSync(join(dir, "stdout.log"), "utf8")).sort(), stable(direct).sort());
  });

  test(`${by}: values of 96 KiB, and 1.2 MiB in all`, async (t) => {
    const rig = new Rig(t, by, { env: { PATH: process.env.PATH } });
    const long = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`V${i}`, `${i}'\n`.repeat(24 * 1024)]),
    );
    const long8 = Object.fromEntries(Object.entries(long).map(([name, v]) => [name, v.slice(0, 96 * 1024)]));
    assert.deepEqual(await environmentOf(rig, long8), expected({ PATH: process.env.PATH, ...long8 }).sort());
  });
}

test("a name is anything that the system can pass", () => {
  for (const name of ["A", "foo-bar", "BASH_FUNC_x%%", "é", "1", " "])
    assert.ok(isEnvironmentName(name), name);
  for (const name of ["", "A=B", "=", "A\0"]) assert.ok(!isEnvironmentName(name), name);
});

test("a quoted text is one word on one line", () => {
  fc.assert(
    fc.property(text, (v) => {
      assert.ok(!quote(v).includes("\n"));
    }),
  );
});
