import { RUN_FILES } from "../store/layout.ts";
import type { CanonForm } from "./canon-form.ts";
import { compareAttempts, compareRuns, endedOtherwise, type Group, type Side } from "./diff-records.ts";

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
  if (differing.length === 0) return { changes: [], before: a, after: b };
  const [attemptsA, attemptsB] = [attemptsOf(before), attemptsOf(after)];
  const changes: Change[] = [];
  const explained = new Set<string>();
  if (differing.includes("run.json") || differing.includes("progress.ndjson")) {
    const found = compareRuns(a, b);
    changes.push(...found);
    if (found.length > 0 || onlyDigest(a, b))
      for (const file of ["run.json", "progress.ndjson"]) explained.add(file);
  }
  const told = new Set<string>();
  for (const { group, what, file } of changes) {
    if (file !== null) explained.add(file);
    if (group === "outputs") told.add(what.split(" ", 1)[0] as string);
  }
  for (const path of differing) {
    const { folder, name, step } = placeOf(path);
    if (name !== "attempt.json" || folder === "") continue;
    const found = compareAttempts(folder, a, b);
    changes.push(...found);
    if (found.length > 0 || told.has(step)) for (const file of OF_RECORD) explained.add(`${folder}/${file}`);
  }
  const rest = differing.filter((path) => {
    const { folder, name } = placeOf(path);
    // An attempt that only one of them has, or that ended otherwise: the path says so.
    const isTold =
      attemptsA.has(folder) !== attemptsB.has(folder) ||
      (folder !== "" && OUTPUTS.has(topOf(name)) && endedOtherwise(folder, a, b));
    return !explained.has(path) && !isTold;
  });
  // Whatever is said of it: a difference is never left out.
  for (const path of changes.length + rest.length > 0 ? rest : differing) {
    const [x, y] = [a, b].map(({ files }) => files.get(path) ?? null);
    changes.push({ group: groupOf(path), what: path, file: path, before: x ?? null, after: y ?? null });
  }
  const order = ({ group }: Change) => GROUPS.indexOf(group);
  return { changes: changes.sort((x, y) => order(x) - order(y)), before: a, after: b };
}

/** Files that say no more than the record beside them. */
const OF_RECORD = ["attempt.json", "output"];

function sideOf(form: CanonForm): Side {
  const files = new Map(form.map(({ path, text }) => [path, text]));
  return { files, run: parsed(files.get("run.json")) };
}

/** Whether the records differ in nothing but the digest of a definition that is shown itself. */
function onlyDigest(a: Side, b: Side): boolean {
  if (a.files.get(RUN_FILES.definition) === b.files.get(RUN_FILES.definition)) return false;
  const rest = ({ files, run }: Side, file: string) =>
    files.get(file)?.replaceAll(`"${run.workflow?.sha256}"`, '""');
  return [RUN_FILES.snapshot, RUN_FILES.journal].every((file) => rest(a, file) === rest(b, file));
}

/** Folders of the attempts that it has. */
function attemptsOf(form: CanonForm): Set<string> {
  return new Set(form.map(({ path }) => placeOf(path).folder));
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

const ATTEMPT = /^((?:.*\/)?steps\/([^/]+)\/(?:item-\d+\/)?attempt-\d+)\/(.+)$/;

/** The folder of an attempt and the path in it; no folder for a file that belongs to none. */
function placeOf(path: string): { readonly folder: string; readonly step: string; readonly name: string } {
  const [, folder = "", step = "", name = path] = ATTEMPT.exec(path) ?? [];
  return { folder, step, name };
}

function topOf(name: string): string {
  return name.split("/", 1)[0] as string;
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
const DEFINITION = new Set(["workflow.yaml", "prompts", "workflows", "definitions"]);

function groupOf(path: string): Group {
  const { folder, name } = placeOf(path);
  const top = topOf(name);
  if (folder === "") return DEFINITION.has(top) ? "definition" : top === "workspace" ? "outputs" : "other";
  if (SCRIPTS.has(top)) return "scripts";
  if (OUTPUTS.has(top)) return "outputs";
  if (top === "stdout.log" || top === "stderr.log") return "logs";
  return "other";
}
