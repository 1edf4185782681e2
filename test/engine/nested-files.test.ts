import assert from "node:assert/strict";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { Workflow } from "../../src/core/workflow.ts";
import { loadCopy, loadFile } from "../../src/engine/load.ts";
import { nestedFiles } from "../../src/engine/nested-files.ts";
import { loadWorkflow, type Selection } from "../../src/language/load.ts";
import { noting, readCopies } from "../../src/store/copies.ts";
import { RUN_FILES } from "../../src/store/layout.ts";
import { needsLinux } from "../rig/held.ts";
import { type Project, projectFor } from "../rig/project.ts";

const AGENT = "agents: { a: { provider: claude } }\n";

/** Prompts and workflows of one name in several folders, loops, and workflows in steps at each level. */
function write(project: Project): string {
  project.write("flows/p.md", "outer");
  project.write("flows/sub/p.md", "sub");
  project.write("flows/sub/deep/p.md", "deep");
  project.write(
    "flows/sub/deep/book.yaml",
    `${AGENT}workflows:
  - { id: one, steps: [{ id: p, agent: a, prompt_file: p.md }] }
  - { id: two, steps: [{ id: n, workflow: one }, { id: self, workflow: book.yaml#two }] }
  - { id: three, steps: [{ id: p, agent: a, prompt_file: missing.md }] }
`,
  );
  project.write(
    "flows/sub/build.yaml",
    `id: build
${AGENT}steps:
  - { id: p, agent: a, prompt_file: p.md }
  - { id: d, workflow: deep/book.yaml#two }
  - { id: again, workflow: build.yaml }
  - { id: in, workflow: { steps: [{ id: q, agent: a, prompt_file: ./p.md }, { id: r, workflow: deep/book.yaml#one }] } }
`,
  );
  return project.write(
    "flows/w.yaml",
    `id: w
${AGENT}steps:
  - { id: p, agent: a, prompt_file: p.md }
  - { id: q, agent: a, prompt_file: sub/deep/p.md }
  - { id: b, workflow: sub/build.yaml }
  - { id: in, workflow: { steps: [{ id: n, workflow: { steps: [{ id: x, agent: a, prompt_file: sub/p.md }, { id: y, workflow: sub/deep/book.yaml#two }] } }, { id: all, workflow: w }] } }
`,
  );
}

function writeRun(dir: string, bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, content] of [[RUN_FILES.definition, bytes] as const, ...files]) {
    fs.mkdirSync(dirname(join(dir, path)), { recursive: true });
    fs.writeFileSync(join(dir, path), content);
  }
}

/** The run has what its definition asks for, and nothing else. */
function checkRun(dir: string, selection: Selection, expected: Workflow): void {
  const bytes = fs.readFileSync(join(dir, RUN_FILES.definition));
  assert.deepEqual(loadCopy(dir, bytes, selection), expected);
  const { readFile, found, missing } = noting(readCopies(dir));
  loadWorkflow({ path: "w.yaml", bytes, readFile }, selection);
  assert.deepEqual([...missing], []);
  const there = [RUN_FILES.prompts, RUN_FILES.workflows].flatMap((folder) =>
    fs.existsSync(join(dir, folder))
      ? fs
          .readdirSync(join(dir, folder), { recursive: true, encoding: "utf8" })
          .map((path) => `${folder}/${path}`)
          .filter((path) => fs.statSync(join(dir, path)).isFile())
      : [],
  );
  assert.deepEqual(there.sort(), [...found.keys()].sort());
}

test("a nested run gets the files that its definition is made of, at any depth, and no others", (t) => {
  const project = projectFor(t);
  const { bytes, workflow, files } = loadFile(write(project), undefined);
  assert.deepEqual([...files.keys()].sort(), [
    "prompts/p.md",
    "prompts/sub/deep/p.md",
    "prompts/sub/p.md",
    "workflows/sub/build.yaml",
    "workflows/sub/deep/book.yaml",
    "workflows/sub/deep/p.md",
    "workflows/sub/p.md",
  ]);
  const run = project.path("run");
  writeRun(run, bytes, files);
  checkRun(run, { id: "w" }, workflow);
  let count = 0;
  const visit = (dir: string, within: Workflow, depth: number) => {
    for (const step of within.steps) {
      if (step.type !== "workflow" || depth === 4) continue;
      const { definition } = step;
      const nested = nestedFiles(dir, definition);
      const inner = join(dir, step.id);
      writeRun(inner, nested.bytes, nested.files);
      checkRun(inner, definition, definition.workflow);
      count += 1;
      visit(inner, definition.workflow, depth + 1);
    }
  };
  visit(run, workflow, 0);
  assert.ok(count > 30, String(count));
});

describe("a run of nested workflows", { skip: needsLinux }, () => {
  test("needs none of the files that it was started from", async (t) => {
    const project = projectFor(t);
    project.write(
      "flows/sub/deep/c.yaml",
      'id: c\nsteps: [{ id: s, run: \'echo "x=deep" >> "$WF_OUTPUT"\' }]\noutputs: { x: "{{steps.s.outputs.x}}" }\n',
    );
    project.write(
      "flows/sub/b.yaml",
      'id: b\nsteps: [{ id: n, workflow: deep/c.yaml }, { id: i, workflow: { inputs: [v], steps: [{ id: s, run: \'echo "y={{inputs.v}}!" >> "$WF_OUTPUT"\' }], outputs: { y: "{{steps.s.outputs.y}}" } }, with: { v: "{{steps.n.outputs.x}}" } }]\noutputs: { y: "{{steps.i.outputs.y}}" }\n',
    );
    const file = project.write(
      "flows/w.yaml",
      'id: w\nsteps: [{ id: gone, run: rm -r flows }, { id: b, workflow: sub/b.yaml }]\noutputs: { y: "{{steps.b.outputs.y}}" }\n',
    );
    const ran = await project.wf(["run", file, "--run-id", "r1"]);
    assert.equal(ran.code, 0, ran.stderr);
    const record = JSON.parse(fs.readFileSync(join(project.runsDir, "r1/run.json"), "utf8"));
    assert.deepEqual(record.outputs, { y: "deep!" });
  });
});
