import { posix } from "node:path";
import type { JournalLine } from "../core/event.ts";

/** What stands for something that is another one in another run. */
export const PLACEHOLDERS = {
  runId: "<run-id>",
  run: "<run>",
  project: "<project>",
  home: "<home>",
  tmp: "<tmp>",
  redacted: "<redacted>",
} as const;

/** Whether an id stands for that of a run, or of one nested in it. */
export function isCanonicalId(runId: unknown): boolean {
  return runId === PLACEHOLDERS.runId || String(runId).startsWith(`${PLACEHOLDERS.runId}.`);
}

type Place = "run" | "project" | "home" | "tmp";

/** What is known of where a run was made; absolute paths, as its engines saw them. */
export interface KnownPlaces {
  /** Null: unknown; ids of the form that wf makes are recognised. */
  readonly runId: string | null;
  /** Ids of the runs that it was forked from, or took attempts from: what they have in common was made under those. */
  readonly ancestors?: readonly string[];
  readonly run: readonly string[];
  readonly project: readonly string[];
  readonly home: readonly string[];
  readonly tmp: readonly string[];
  /** A chosen id may be a word that stands here too; then it is replaced only where it can be nothing else. */
  readonly definition: string;
}

export const MADE_ID = "\\d{8}-\\d{6}-[a-z][a-z0-9_-]*-[a-z0-9]{4}";
/** What the id of a nested run has behind that of the run around it. */
export const NESTED = "(?:\\.[a-z][a-z0-9_-]*-\\d+)";
const NOT_IN_WORD = { before: "(?<![A-Za-z0-9])", after: "(?![A-Za-z0-9])" };
/** A folder's name goes on: `/home/ann/demo-2`, `/home/ann/demo.git`. */
const NAME_ENDS = "(?![A-Za-z0-9_-]|\\.[A-Za-z0-9])";
const PATH_BEGINS = "(?<![A-Za-z0-9_.~-])";
const FOLDER = "/[^\\s/\"'`:;,=<>|(){}\\[\\]$*?\\\\]+";

/** Where a run does not say what its home was, any home is one; the same for the folder of temporary files. */
const ANY_HOME = `${PATH_BEGINS}(?:/(?:home|Users)/[A-Za-z0-9_][A-Za-z0-9._-]*(?<![.])|/root${NAME_ENDS})`;
const ANY_TMP = `${PATH_BEGINS}(?:/private)?(?:/tmp|/var/tmp|/var/folders/[^/\\s]+/[^/\\s]+/T)${NAME_ENDS}`;

/**
 * Puts placeholders for the run's id and its folders. Depends on what the run recorded alone, never on the machine that
 * this is done on. One pass: what has been put is not looked at again.
 */
export class Places {
  /** Of the run and of those that it was forked from. */
  readonly #known: readonly string[];
  /** Matches nothing if the id is a word. */
  readonly #id: RegExp;
  readonly #wholeLine: RegExp | null;
  readonly #pattern: RegExp;
  readonly #putFor: readonly string[];

  constructor(known: KnownPlaces) {
    const ids = known.runId === null ? [] : [known.runId, ...(known.ancestors ?? [])];
    this.#known = ids;
    const id = known.runId === null ? MADE_ID : anyOf(ids);
    const alternatives: { readonly pattern: string; readonly put: string }[] = [
      // Wherever it was: a folder of that name is the run's.
      { pattern: `(?:${FOLDER}){1,40}?/${id}${NAME_ENDS}`, put: PLACEHOLDERS.run },
    ];
    for (const { path, place } of longestFirst(known)) {
      alternatives.push({ pattern: `${escaped(path)}${NAME_ENDS}`, put: PLACEHOLDERS[place] });
    }
    if (known.home.length === 0) alternatives.push({ pattern: ANY_HOME, put: PLACEHOLDERS.home });
    alternatives.push({ pattern: ANY_TMP, put: PLACEHOLDERS.tmp });
    const words = ids.filter((each) => isWord(each, known.definition));
    const others = ids.filter((each) => !words.includes(each));
    const ofId = known.runId === null ? anywhere(id) : others.length > 0 ? anywhere(anyOf(others)) : "(?!)";
    alternatives.push({ pattern: ofId, put: PLACEHOLDERS.runId });
    this.#id = new RegExp(ofId, "gu");
    this.#wholeLine = words.length > 0 ? new RegExp(`(?<=^|=)${anyOf(words)}(?=${NESTED}*$)`, "gmu") : null;
    this.#pattern = new RegExp(alternatives.map(({ pattern }) => `(${pattern})`).join("|"), "gu");
    this.#putFor = alternatives.map(({ put }) => put);
  }

  /** The id of the run itself, or of one nested in it. */
  runId(id: string): string {
    const around = this.#known.find((each) => id.startsWith(`${each}.`));
    return around === undefined ? PLACEHOLDERS.runId : PLACEHOLDERS.runId + id.slice(around.length);
  }

  /** Placeholders in what wf wrote, and in names. */
  in(text: string): string {
    if (!text.includes("/")) return this.inName(text);
    return text.replace(this.#pattern, (...found) => {
      const at = this.#putFor.findIndex((_, index) => found[index + 1] !== undefined);
      return this.#putFor[at] as string;
    });
  }

  /** Placeholders in what a step or a person wrote: there an id that is a word is found on a line of its own, and as `name=id`. */
  inFree(text: string): string {
    const placed = this.in(text);
    return this.#wholeLine === null ? placed : placed.replace(this.#wholeLine, PLACEHOLDERS.runId);
  }

  /** The id alone, for names of files. */
  inName(name: string): string {
    if (this.#known.length > 0 && !this.#known.some((id) => name.includes(id))) return name;
    return name.replace(this.#id, PLACEHOLDERS.runId);
  }
}

/** Whether a chosen id is a word that may mean something else. */
function isWord(id: string, definition: string): boolean {
  return id.length < 2 || new RegExp(anywhere(escaped(id)), "u").test(definition);
}

function anywhere(pattern: string): string {
  return `${NOT_IN_WORD.before}${pattern}${NOT_IN_WORD.after}`;
}

/** The longest first, since one may begin with another. */
function anyOf(ids: readonly string[]): string {
  const longest = [...ids].sort((a, b) => b.length - a.length).map(escaped);
  return longest.length === 1 ? (longest[0] as string) : `(?:${longest.join("|")})`;
}

const IN_ANOTHER = new RegExp(`${NESTED}+$`);

/** The runs that a run was forked from, and those from which attempts were taken, by its journal. */
export function ancestorsOf(lines: readonly JournalLine[]): string[] {
  const [created] = lines;
  const from = created?.event === "run_created" ? created.volatile.forkedFrom : undefined;
  const found = new Set(from === undefined ? [] : [from.run, ...(from.earlier ?? []).map(({ run }) => run)]);
  for (const line of lines) {
    if (line.event !== "attempt_ended" || !line.volatile.reusedFrom) continue;
    const { run, ran } = line.volatile.reusedFrom;
    found.add(run).add(ran?.run ?? run);
  }
  // A nested run takes from nested runs, whose ids begin with those of the runs around them.
  const isNested = created?.event === "run_created" && created.parent !== undefined;
  return isNested ? [...found].map((run) => run.replace(IN_ANOTHER, "")) : [...found];
}

function longestFirst(known: KnownPlaces): { path: string; place: Place }[] {
  const found = new Map<string, Place>();
  for (const place of ["run", "project", "home", "tmp"] as const) {
    for (const path of known[place].flatMap(spellings)) if (!found.has(path)) found.set(path, place);
  }
  return [...found]
    .map(([path, place]) => ({ path, place }))
    .sort((a, b) => b.path.length - a.path.length || (a.path < b.path ? -1 : 1));
}

/** macOS has `/tmp` and `/var` under `/private` too, and programs name either. */
function spellings(path: string): string[] {
  const plain = posix.normalize(path).replace(/\/+$/, "");
  if (!plain.startsWith("/")) return [];
  return [plain, plain.startsWith("/private/") ? plain.slice("/private".length) : `/private${plain}`];
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
