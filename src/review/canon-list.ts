import { type Dirent, existsSync, readdirSync } from "node:fs";
import { isTempName } from "../store/atomic-file.ts";
import { errnoOf } from "../store/io-error.ts";
import { ATTEMPT_FILES, CREATING_PREFIX, LOG_FILES, RUN_FILES } from "../store/layout.ts";

/** A file of a run, or a link or something odd in its place; or the whole of a nested run. */
export interface Listed {
  /** Relative to the run, with `/`. */
  readonly path: string;
  readonly kind: "file" | "link" | "other" | "run";
  /** The folder of its attempt; undefined: it belongs to none. */
  readonly attempt?: string;
  /** Its path in the attempt, or in the run. */
  readonly name: string;
}

/** Of no meaning, or taken from elsewhere. */
const NOT_LISTED = new Set<string>([
  RUN_FILES.lock,
  RUN_FILES.control,
  RUN_FILES.snapshot,
  RUN_FILES.journal,
  RUN_FILES.steps,
]);
const TORN = `${RUN_FILES.journal}.torn-`;
/** Beside a canonical form, for people; made from it. */
const PAGE = "README.md";
const ATTEMPT = /^steps\/[^/]+\/(?:item-\d+\/)?attempt-\d+$/;

/** A log in which nothing stands: most attempts have one. */
export function saysNothing({ attempt, name }: Listed, text: string): boolean {
  return text === "" && attempt !== undefined && LOG_FILES.has(name);
}

/** Every file of a canonical form, in no order; those of a nested run are not looked for. */
export function listCanonical(root: string): Listed[] {
  const found: Listed[] = [];
  walk(root, { folder: "" }, found, (name) => name === PAGE);
  return found;
}

/**
 * The files of a run that count, but for its snapshot and journal, and its nested runs, in no order. `attempts`: the
 * folders of those that were started.
 */
export function listRun(root: string, attempts: Iterable<string>): Listed[] {
  const found: Listed[] = [];
  walk(root, { folder: "" }, found, (name) => NOT_LISTED.has(name) || name.startsWith(TORN));
  for (const folder of attempts) {
    walk(root, { folder, attempt: folder }, found, (name) => name.startsWith(CREATING_PREFIX));
  }
  return found;
}

/**
 * `attempt`: the folder of the attempt that it lies in, if it lies in one. Its `exit` is left out: how it ended stands in
 * its record.
 */
function walk(
  root: string,
  { folder, attempt }: { readonly folder: string; readonly attempt?: string },
  found: Listed[],
  leaveOut?: (name: string) => boolean,
): void {
  const within = (path: string) =>
    attempt === undefined ? { name: path } : { attempt, name: path.slice(attempt.length + 1) };
  for (const entry of entriesOf(`${root}/${folder}`)) {
    const { name } = entry;
    const isExit = folder === attempt && name === ATTEMPT_FILES.exit;
    if (isExit || isTempName(name) || leaveOut?.(name)) continue;
    const path = folder === "" ? name : `${folder}/${name}`;
    if (entry.isDirectory()) {
      const inside = attempt ?? (ATTEMPT.test(path) ? path : undefined);
      if (attempt !== undefined && folder === attempt && name === ATTEMPT_FILES.run && isRun(root, path))
        found.push({ path, kind: "run", ...within(path) });
      else walk(root, { folder: path, ...(inside !== undefined && { attempt: inside }) }, found);
    } else {
      const kind = entry.isFile() ? "file" : entry.isSymbolicLink() ? "link" : "other";
      found.push({ path, kind, ...within(path) });
    }
  }
}

function isRun(root: string, path: string): boolean {
  return existsSync(`${root}/${path}/${RUN_FILES.journal}`);
}

/** Git drops empty folders, and a folder of an attempt can be one. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

const FIRST: readonly string[] = [
  RUN_FILES.snapshot,
  RUN_FILES.journal,
  RUN_FILES.definition,
  RUN_FILES.prompts,
  RUN_FILES.workflows,
  RUN_FILES.definitions,
];
const IN_ATTEMPT: readonly string[] = [
  ATTEMPT_FILES.record,
  ATTEMPT_FILES.script,
  ATTEMPT_FILES.prompt,
  ATTEMPT_FILES.context,
  ATTEMPT_FILES.stdin,
  ATTEMPT_FILES.inputs,
  ATTEMPT_FILES.gate,
  ATTEMPT_FILES.agent,
  ATTEMPT_FILES.stdout,
  ATTEMPT_FILES.stderr,
  ATTEMPT_FILES.output,
  ATTEMPT_FILES.summary,
  ATTEMPT_FILES.outputs,
  ATTEMPT_FILES.values,
  ATTEMPT_FILES.work,
  ATTEMPT_FILES.run,
];

/** The run's own files, then its attempts in the order of the file, then what else there is; by code units, not by a locale. */
export function inFileOrder(
  files: readonly Listed[],
  steps: readonly string[],
  shownAs: (path: string) => string = (path) => path,
): Listed[] {
  const indexes = new Map(steps.map((id, index) => [id, index]));
  const places = new Map<string, Place>();
  const placeOf = (attempt: string) => {
    const place = places.get(attempt) ?? readPlace(attempt, indexes);
    places.set(attempt, place);
    return place;
  };
  return files
    .map((file) => ({ file, key: keyOf(file, placeOf, shownAs) }))
    .sort((a, b) => compareKeys(a.key, b.key))
    .map(({ file }) => file);
}

/** Numbers, then a text. */
type Key = readonly [group: number, step: number, item: number, attempt: number, place: number, text: string];

/** Of an attempt among all. */
interface Place {
  readonly step: string;
  readonly at: number;
  readonly item: number;
  readonly number: number;
}

function readPlace(attempt: string, indexes: ReadonlyMap<string, number>): Place {
  const [, step = "", ...parts] = attempt.split("/");
  const [last = "", item] = parts.reverse();
  const at = indexes.get(step) ?? indexes.size;
  return { step, at, item: item === undefined ? -1 : numberOf(item), number: numberOf(last) };
}

function keyOf(
  { path, attempt, name }: Listed,
  placeOf: (attempt: string) => Place,
  shownAs: (path: string) => string,
): Key {
  if (attempt === undefined) {
    const first = FIRST.indexOf(path.split("/", 1)[0] as string);
    return first >= 0 ? [0, first, 0, 0, 0, shownAs(path)] : [2, 0, 0, 0, 0, shownAs(path)];
  }
  const { step, at, item, number } = placeOf(attempt);
  const place = IN_ATTEMPT.indexOf(name.split("/", 1)[0] as string);
  return [1, at, item, number, place < 0 ? IN_ATTEMPT.length : place, `${step}/${shownAs(name)}`];
}

function numberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf("-") + 1));
}

function compareKeys(a: Key, b: Key): number {
  for (let at = 0; at < 5; at += 1) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a[5] < b[5] ? -1 : a[5] > b[5] ? 1 : 0;
}
