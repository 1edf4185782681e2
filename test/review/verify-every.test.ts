import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyRun } from "../../src/review/verify.ts";
import { type Project, projectFor } from "../rig/project.ts";

const FLOW = `id: every
inputs: { version: { type: string, default: '1.0' } }
providers: { echo: { command: [cat], output: text } }
agents: { own: { provider: echo } }
steps:
  - id: make
    input_files: [source.txt]
    cache: true
    run: |
      cat source.txt
      echo "plan {{inputs.version}}" > "$WF_OUTPUT_PLAN"
      echo "answer=42" >> "$WF_OUTPUT"
      echo warned >&2
    output_files: { plan: plan.txt }
  - id: ask
    agent: own
    prompt_file: prompts/ask.md
    outputs: { verdict: { type: integer } }
  - id: sign_off
    type: approval
    message: 'Publish {{steps.make.outputs.plan}}?'
  - id: check
    foreach: [a, b]
    retry: { max: 1, delay: 1ms }
    input_files: [source.txt]
    run: |
      echo "report of {{item}}" > "$WF_OUTPUT_REPORT"
      test "{{item}}$WF_ATTEMPT" != b1
    output_files: { report: report.txt }
  - id: ship
    foreach: [eu]
    workflow: flows/region.yaml
    with: { region: '{{item}}' }
  - id: last
    run: exit 1
`;

const REGION = `id: region
inputs: { region: { type: string } }
steps:
  - id: push
    input_files: [source.txt]
    run: |
      echo "to {{inputs.region}}"
      echo log > "$WF_OUTPUT_LOG"
    output_files: { log: log.txt }
  - { id: probe, foreach: [1, 2], run: 'echo "probe {{item}}"' }
  - { id: sign, type: approval, message: 'Ship to {{inputs.region}}?' }
  - { id: note, workflow: note.yaml }
`;

const NOTE = "id: note\nsteps:\n  - { id: write, run: echo noted }\n";

/** A run with a file of every kind: in itself, in items, in runs that are nested, and with a second definition. */
async function everyKind(project: Project): Promise<string> {
  project.write("source.txt", "source\n");
  project.write("prompts/ask.md", 'Answer. [workflow_result]{"verdict": 1}[/workflow_result]\n');
  project.write("flows/region.yaml", REGION);
  project.write("flows/note.yaml", NOTE);
  const file = project.write("every.yaml", FLOW);
  const due = async (code: number, ...args: string[]) => {
    const result = await project.wf(args);
    assert.equal(result.code, code, `${args[0]}: ${result.stdout}${result.stderr}`);
  };
  await due(3, "run", file, "--run-id", "r", "--max-parallel", "1");
  await due(3, "approve", "r", "sign_off", "--comment", "fine", "--resume");
  await due(1, "approve", "r", "ship/item-0/sign", "--comment", "go", "--resume");
  project.write("every.yaml", FLOW.replace("run: exit 1", "run: echo done"));
  await due(0, "resume", "r", "--workflow", file);
  return project.onlyRun();
}

const linesOf = (text: string) => text.split("\n").slice(0, -1);
const joined = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

/** What is done to a file; null: it can not be done to this one. */
const DAMAGES: Readonly<Record<string, (text: string) => string | null>> = {
  "a byte is flipped": (text) => {
    const at = text.search(/[a-z0-9](?=[^a-z0-9]*$)/);
    const flipped = text[at] === "q" ? "x" : "q";
    return at < 0 ? null : `${text.slice(0, at)}${flipped}${text.slice(at + 1)}`;
  },
  "a line is dropped": (text) => {
    const lines = linesOf(text);
    return lines.length === 0 ? null : joined(lines.toSpliced(Math.floor(lines.length / 2), 1));
  },
  "two lines are swapped": (text) => {
    const lines = linesOf(text);
    const at = Math.floor(lines.length / 2);
    const [a, b] = [lines[at - 1], lines[at]];
    return a === undefined || b === undefined || a === b ? null : joined(lines.toSpliced(at - 1, 2, b, a));
  },
  "a line is added": (text) => `${text}added\n`,
};

/** The paths that `verify` has something to say of. */
async function namedIn(runDir: string): Promise<string[]> {
  const verified = await verifyRun(runDir);
  assert.ok(verified.kind === "current");
  return verified.findings.map(({ path }) => path);
}

function filesIn(runDir: string): string[] {
  const all = fs.readdirSync(runDir, { recursive: true, encoding: "utf8" });
  return all.filter((path) => fs.lstatSync(join(runDir, path)).isFile()).sort();
}

/** In `outputs/` a step may leave what it likes. */
function foldersIn(runDir: string): string[] {
  const all = fs.readdirSync(runDir, { recursive: true, encoding: "utf8" });
  const folders = all.filter((path) => fs.lstatSync(join(runDir, path)).isDirectory());
  return ["", ...folders.filter((path) => !path.endsWith("/outputs"))];
}

/** What nobody can tell, as docs/verifying.md says: where, what (null: whatever), and why. */
const UNSEEN: readonly (readonly [file: RegExp, what: string | null, why: string])[] = [
  [/std(?:out|err)\.log$/, "a byte is flipped", "of a log only the size is known"],
  [/\/make\/attempt-1\/output$/, null, "what a step wrote to $WF_OUTPUT stands in its record"],
  [/\/check\/item-1\/attempt-1\/outputs\//, null, "an attempt that failed has no outputs"],
  [/\/prompt\.md$/, "a line is added", "what the templates of a prompt came to is known to nobody else"],
  [/\/context\.json$/, "a byte is flipped", "and so is what an agent was told"],
  [/\/agent\.json$/, "a line is dropped", "and how its client was called"],
  [/owner-\d\.json$/, "a byte is flipped", "when an engine began is known to nobody else"],
  [/free-\d$/, "it is removed", "an engine that was killed leaves none"],
  [
    /(?:decide-.*|gate|inputs|agent|owner-\d)\.json$/,
    "two lines are swapped",
    "the order of members says nothing",
  ],
  [/prompts\/ask\.md$/, null, "a prompt's copy is held against the prompt.md of attempts, which is named"],
  [/definitions\/2\/workflows\//, null, "no attempt has begun with it"],
  [/^workflows\/flows\/note\.yaml$/, "a byte is flipped", "the nested run has a copy of its own"],
];

test("whatever is done to whichever file of a run is found, and named", async (t) => {
  const run = await everyKind(projectFor(t));
  assert.deepEqual(await namedIn(run), []);
  const missed: string[] = [];
  const used = new Set<RegExp>();
  const found = async (path: string, what: string) => {
    const named = await namedIn(run);
    if (named.includes(path)) return;
    const unseen = UNSEEN.find(([file, which]) => file.test(path) && (which ?? what) === what);
    if (unseen) used.add(unseen[0]);
    else missed.push(`${path}: ${what}, and named are: ${named.join(", ")}`);
  };
  for (const path of filesIn(run)) {
    const file = join(run, path);
    const text = fs.readFileSync(file, "utf8");
    for (const [what, damage] of Object.entries(DAMAGES)) {
      const damaged = damage(text);
      if (damaged === null) continue;
      fs.writeFileSync(file, damaged);
      await found(path, what);
      fs.writeFileSync(file, text);
    }
    fs.rmSync(file);
    await found(path, "it is removed");
    fs.writeFileSync(file, text);
  }
  for (const folder of foldersIn(run)) {
    const path = join(folder, "added");
    fs.writeFileSync(join(run, path), "");
    await found(path, "it is added");
    fs.rmSync(join(run, path));
  }
  assert.deepEqual(missed, []);
  assert.deepEqual(await namedIn(run), []);
  for (const [file, , why] of UNSEEN) assert.ok(used.has(file), `it is seen by now: ${why}`);
});
