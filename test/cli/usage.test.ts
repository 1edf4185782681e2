import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ENTRIES } from "../../src/cli/catalog.ts";
import { Rig, ROOT } from "./rig.ts";

const USAGE = 2;

test("--version is the version of the package", async (t) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.deepEqual(await new Rig(t).wf(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help lists every command in its group", async (t) => {
  const { code, stdout } = await new Rig(t).wf(["--help"]);
  assert.equal(code, 0);
  for (const heading of ["Running:", "Looking:", "Authoring:"]) assert.ok(stdout.includes(`\n${heading}\n`));
  for (const { usage, describe } of ENTRIES)
    assert.match(stdout, new RegExp(`^  wf ${escaped(usage)} +${escaped(describe)}$`, "m"));
});

test("without a command the help goes to standard error, and the exit code is that of a mistake", async (t) => {
  const { code, stdout, stderr } = await new Rig(t).wf([]);
  assert.deepEqual([code, stdout], [USAGE, ""]);
  assert.match(stderr, /^wf runs multi-step workflows/);
});

for (const { name, load } of ENTRIES) {
  test(`wf ${name} --help has every option and an example`, async (t) => {
    const { command } = await load();
    const { code, stdout, stderr } = await new Rig(t).wf([name, "--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const option of Object.keys(command.options)) assert.ok(stdout.includes(`--${option}`), option);
    assert.match(stdout, /^Examples:$/m);
  });
}

const MISTAKES: readonly (readonly [args: string[], stderr: string])[] = [
  [
    ["statsu", "x"],
    'wf: there is no command "statsu"   [USAGE]\n    did you mean "status"? commands: run, resume, next, approve, reject, cancel, status, progress, ls, logs, show, why, graph, fork, diff, canon, fixture, replay, git-setup, verify and 6 more\n',
  ],
  [
    ["stat"],
    'wf: there is no command "stat"   [USAGE]\n    did you mean "status"? wf --help lists the commands\n',
  ],
  [
    ["--follow", "ls"],
    "wf: the command comes first: wf <command> --follow …   [USAGE]\n    wf --help lists the commands\n",
  ],
  [
    ["ls", "--jsn"],
    "wf: wf ls has no option --jsn   [USAGE]\n    did you mean --json? all options: wf ls --help\n",
  ],
  [["ls", "--no-json"], "wf: wf ls has no option --no-json   [USAGE]\n    all options: wf ls --help\n"],
  [["ls", "-x"], "wf: wf ls has no option -x   [USAGE]\n    all options: wf ls --help\n"],
  [["ls", "--json=1x"], "wf: --json takes no value   [USAGE]\n"],
  [
    ["ls", "extra"],
    "wf: wf ls does not take so many arguments: extra is too much   [USAGE]\n    usage: wf ls\n",
  ],
  [["ls", "--workflow"], "wf: --workflow needs a value   [USAGE]\n    wf ls --help\n"],
  [
    ["ls", "--workflow", "a", "--workflow", "b"],
    "wf: --workflow is given 2 times, it takes one value   [USAGE]\n",
  ],
  [
    ["ls", "--status", "done"],
    'wf: --status can not be "done"   [USAGE]\n    one of: queued, running, waiting, succeeded, failed, canceled, interrupted\n',
  ],
  [["status"], "wf: wf status needs a RUN   [USAGE]\n    usage: wf status RUN [STEP]\n"],
  [["show", "x"], "wf: wf show needs a RUN and a STEP   [USAGE]\n    usage: wf show RUN STEP\n"],
  [["validate"], "wf: wf validate needs a FILE   [USAGE]\n    usage: wf validate FILE…\n"],
  [
    ["run", "a.yaml", "--max-parallel", "0"],
    'wf: --max-parallel must be a whole number from 1 to 999999, not "0"   [USAGE]\n',
  ],
  [
    ["run", "a.yaml", "--input", "name"],
    'wf: --input "name" is not of the form name=value   [USAGE]\n    for a value from a file: name=@file; from standard input: name=@-\n',
  ],
  [
    ["fork", "latest"],
    'wf: "latest" is not of the form RUN@STEP   [USAGE]\n    such as latest@publish, or latest@review/2: before the second attempt of review\n',
  ],
  [
    ["fork", "latest@deploy/item-1/check"],
    "wf: a fork begins before a step of the run itself, not at an item or inside of a nested run   [USAGE]\n    wf fork latest@deploy\n",
  ],
  [
    ["init", "--template", "circle"],
    'wf: --template can not be "circle"   [USAGE]\n    one of: sequence, graph\n',
  ],
];

for (const [args, expected] of MISTAKES) {
  test(`a mistake: wf ${args.join(" ")}`, async (t) => {
    const { code, stdout, stderr } = await new Rig(t).wf(args);
    assert.deepEqual({ code, stdout, stderr }, { code: USAGE, stdout: "", stderr: expected });
  });
}

test("with --json a mistake is JSON on standard output", async (t) => {
  const { code, value } = await new Rig(t).json(["status", "nothing"]);
  assert.equal(code, USAGE);
  assert.equal(value.error.code, "RUN_NOT_FOUND");
});

test("values stay the text that was given", async (t) => {
  const rig = new Rig(t);
  rig.write("a.yaml", "id: a\ninputs: [n, k]\nsteps: [{ id: s, run: 'true {{inputs.n}}{{inputs.k}}' }]\n");
  const { value } = await rig.json([
    "run",
    "a.yaml",
    "--dry-run",
    "--input",
    "n=007",
    "--input",
    "k=a.b=1e3",
  ]);
  assert.deepEqual(value.inputs, { n: "007", k: "a.b=1e3" });
});

test("completion prints a script, and completes commands, options and runs", async (t) => {
  const rig = new Rig(t);
  const script = await rig.wf(["completion"], { env: { SHELL: "/bin/bash" } });
  assert.equal(script.code, 0);
  assert.match(script.stdout, /complete .*_wf_yargs_completions wf/);
  rig.write(".wf/runs/old-1.json", '{"runId":"old-1","workflowId":"w","state":"failed"}');
  const complete = async (...words: string[]) =>
    (await rig.wf(["--get-yargs-completions", "wf", ...words], { env: { SHELL: "/bin/bash" } })).stdout
      .trim()
      .split("\n");
  assert.ok((await complete("")).includes("status"));
  assert.deepEqual(await complete("status", "old"), ["old-1"]);
  assert.ok((await complete("run", "--")).includes("--dry-run"));
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
