import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { canonicalForm } from "../../src/review/canon.ts";
import { type CanonForm, formatForm } from "../../src/review/canon-form.ts";
import { canonicalFile } from "../../src/review/canon-one.ts";
import { projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { assertGolden } from "./golden.ts";
import { ship } from "./nested-scenario.ts";

const text = async (path: string) => [...formatForm(await canonicalForm(path))].join("");

test("items and nested runs: two runs that mean the same have the same bytes, and that form is its own", async (t) => {
  const [a, b] = [projectFor(t), projectFor(t)];
  const here = await ship(a, { id: "20261122-071630-ship-k3f9", parallel: "1" });
  const there = await ship(b, { id: "r-0042", parallel: "4", pace: "4" });
  const form = await text(here);
  assert.equal(await text(there), form);
  assertGolden("nested.txt", form);

  const moved = a.path("kept");
  fs.cpSync(there, moved, { recursive: true });
  const emptied = fs.readdirSync(moved, { recursive: true, encoding: "utf8" });
  for (const path of emptied.filter((each) => /(?:^|\/)(?:lock|control)$/.test(each)))
    fs.rmSync(join(moved, path), { recursive: true });
  const before = digestOf(moved);
  const written = await a.wf(["canon", moved, "--out", a.path("form")]);
  assert.equal(written.code, 0, written.stderr);
  assert.equal(digestOf(moved), before);
  assert.equal(await text(a.path("form")), form);
  fs.writeFileSync(a.path("form.txt"), form);
  assert.equal(await text(a.path("form.txt")), form);

  await aloneToo(there, await canonicalForm(here));
  await eachFileToo(here);
});

/** A nested run that is read by itself has the form that it has in the run around it, and its own copy of the definition. */
async function aloneToo(run: string, form: CanonForm): Promise<void> {
  const folders = ["steps/deploy/item-1/attempt-1/run", "steps/tell/attempt-1/run"];
  folders.push(`${folders[0]}/steps/note/attempt-1/run`);
  for (const folder of folders) {
    const isCopy = ({ path }: { path: string }) => /(?:^|\/)(?:workflow\.yaml$|workflows\/)/.test(path);
    const inside = form.flatMap(({ path, text: shown }) =>
      path.startsWith(`${folder}/`) ? [{ path: path.slice(folder.length + 1), text: shown }] : [],
    );
    const alone = (await canonicalForm(join(run, folder))).filter((file) => !isCopy(file));
    // What the workflow around it says is noise is none by itself.
    const hidden = alone.map((file) => ({ ...file, text: file.text.replace(/took \d+ ns/g, "<redacted>") }));
    assert.deepEqual(hidden, inside, folder);
  }
}

/** As git shows one version of a file. */
async function eachFileToo(run: string): Promise<void> {
  const nested = join(run, "steps/deploy/item-1/attempt-1/run");
  for (const name of ["run.json", "progress.ndjson", "steps/push/attempt-1/stdout.log"]) {
    const alone = String(canonicalFile(fs.readFileSync(join(nested, name))));
    assert.ok(alone.includes("<run-id>") || name === "progress.ndjson", alone);
    assert.ok(!alone.includes("k3f9"), alone);
  }
}

test("an id that is a word of a nested definition is replaced only where it can be nothing else", async (t) => {
  const forms: string[] = [];
  for (const id of ["inner", "20261122-071630-words-k3f9"]) {
    const project = projectFor(t);
    project.write("in.yaml", WORDS.in);
    const ended = await project.wf(["run", project.write("out.yaml", WORDS.out), "--run-id", id]);
    assert.equal(ended.code, 0, ended.stderr);
    forms.push(await text(project.onlyRun()));
  }
  assert.equal(forms[0], forms[1]);
  assert.match(forms[0] ?? "", /^inner work\n<run-id>\.deep-1\nid=<run-id>\.deep-1$/m);
});

const WORDS = {
  out: `id: words
steps:
  - id: deep
    workflow: in.yaml
`,
  in: `id: in
steps:
  - id: say
    run: |
      echo "inner work"
      echo "$WF_RUN_ID"
      echo "id=$WF_RUN_ID"
`,
};
