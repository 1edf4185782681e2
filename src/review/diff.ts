import type { CanonForm } from "./canon-form.ts";
import { compareAttempts, compareRuns, type Group, type Side } from "./diff-records.ts";

/** One thing that two runs have differently. */
export interface Change {
  readonly group: Group;
  /** A file, or what else it is, such as `version` or `build/1 bundle`. */
  readonly what: string;
  /** Its path in the canonical form, if it is a file. */
  readonly file: string | null;
  /** Its text in each; null: it has none. At least one is a text. */
  readonly before: string | null;
  readonly after: string | null;
}

/** In the order in which they are shown. */
export const GROUPS: readonly Group[] = [
  "definition",
  "inputs",
  "path",
  "decisions",
  "scripts",
  "outputs",
  "logs",
  "status",
  "other",
];

export interface RunDiff {
  /** None: the two mean the same; their canonical forms are the same bytes. */
  readonly changes: readonly Change[];
  readonly before: Side;
  readonly after: Side;
}

/** What one run has differently from another, from their canonical forms alone. Pure. */
export function diffForms(before: CanonForm, after: CanonForm): RunDiff {
  const [a, b] = [sideOf(before), sideOf(after)];
  const differing = [...pathsOf(before, after)].filter((path) => a.files.get(path) !== b.files.get(path));
  const changes: Change[] = [];
  const explained = new Set<string>();
  const add = (found: readonly Change[], files: readonly string[]) => {
    changes.push(...found);
    if (found.length > 0) for (const file of files) explained.add(file);
  };
  if (differing.includes("run.json") || differing.includes("progress.ndjson")) {
    add(compareRuns(a, b), ["run.json", "progress.ndjson"]);
  }
  for (const path of differing) {
    const { folder, name } = placeOf(path);
    if (name !== "attempt.json" || folder === "") continue;
    add(compareAttempts(folder, a, b), [
      path,
      `${folder}/output`,
      `${folder}/exit`,
      "run.json",
      "progress.ndjson",
    ]);
  }
  for (const path of differing) {
    const { folder } = placeOf(path);
    // An attempt that only one of them has: the path says so.
    if (explained.has(path) || a.attempts.has(folder) !== b.attempts.has(folder)) continue;
    changes.push({
      group: groupOf(path),
      what: path,
      file: path,
      before: a.files.get(path) ?? null,
      after: b.files.get(path) ?? null,
    });
  }
  const shown = new Set(changes.flatMap(({ file }) => file ?? []));
  const kept = changes.filter(({ group, before: x, after: y }) => {
    // A file's digest says no more than the file beside it.
    const files = group === "outputs" ? [artifactIn(x), artifactIn(y)] : [];
    return !files.some((file) => file !== null && shown.has(file));
  });
  const order = (change: Change) => GROUPS.indexOf(change.group);
  return { changes: kept.sort((x, y) => order(x) - order(y)), before: a, after: b };
}

function sideOf(form: CanonForm): Side {
  const files = new Map(form.map(({ path, text }) => [path, text]));
  const attempts = new Set(form.map(({ path }) => placeOf(path).folder));
  return { files, attempts, run: parsed(files.get("run.json")) };
}

function parsed(text: string | undefined): Side["run"] {
  try {
    return text === undefined ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}

/** Those of the first in its order, each followed by those of the second that come after it there. */
function pathsOf(before: CanonForm, after: CanonForm): Set<string> {
  return new Set([...before, ...after].map(({ path }) => path));
}

const ATTEMPT = /^((?:.*\/)?steps\/[^/]+\/(?:item-\d+\/)?attempt-\d+)\/(.+)$/;

/** The folder of an attempt and the path in it; no folder for a file that belongs to none. */
function placeOf(path: string): { readonly folder: string; readonly name: string } {
  const [, folder = "", name = path] = ATTEMPT.exec(path) ?? [];
  return { folder, name };
}

const SCRIPTS = new Set([
  "script.sh",
  "prompt.md",
  "context.json",
  "stdin.txt",
  "gate.json",
  "agent.json",
  "values",
]);
const OUTPUTS = new Set(["output", "outputs", "summary.md", "work"]);
const DEFINITION = new Set(["workflow.yaml", "prompts", "workflows"]);

function groupOf(path: string): Group {
  const { folder, name } = placeOf(path);
  const [top = ""] = name.split("/", 1);
  if (folder === "") return DEFINITION.has(top) ? "definition" : top === "workspace" ? "outputs" : "other";
  if (SCRIPTS.has(top)) return "scripts";
  if (OUTPUTS.has(top)) return "outputs";
  if (top === "stdout.log" || top === "stderr.log") return "logs";
  return top === "exit" ? "status" : "other";
}

function artifactIn(text: string | null): string | null {
  return /^(steps\/\S+), \d+ bytes, sha256 [0-9a-f]{64}$/.exec(text ?? "")?.[1] ?? null;
}
