import { type Dirent, readdirSync, statSync } from "node:fs";
import picomatch from "picomatch";
import { hasWildcard } from "../core/glob.ts";
import { errnoOf } from "../store/io-error.ts";

/** What a workflow's globs come to. */
export interface GlobSet {
  readonly matches: (path: string) => boolean;
  /** Whether a file below the folder can match. */
  readonly entersFolder: (path: string) => boolean;
  /** The folders to begin in; none lies in another. */
  readonly roots: readonly string[];
  /** Entries without a wildcard: files that must be there. */
  readonly named: readonly string[];
}

/** A folder of the project that can not be read. */
export class UnreadableFolder extends Error {
  readonly path: string;
  readonly errno: string;
  constructor(path: string, errno: string) {
    super(`${path}: ${errno}`);
    this.path = path;
    this.errno = errno;
  }
}

const compiled = new Map<string, GlobSet>();

/** The same list is compiled once: many steps have the same one. */
export function compileGlobs(globs: readonly string[]): GlobSet {
  const key = globs.join("\0");
  const known = compiled.get(key) ?? compile(globs);
  compiled.set(key, known);
  return known;
}

function compile(globs: readonly string[]): GlobSet {
  const taken = globs.filter((glob) => !glob.startsWith("!"));
  const patterns = taken.filter(hasWildcard).map(patternOf);
  // What is taken away is so whether its name begins with a dot or not.
  const away = globs.flatMap((glob) => (glob.startsWith("!") ? [matcher(glob.slice(1), true)] : []));
  const isAway = (path: string) => away.some((matches) => matches(path));
  return {
    matches: (path) => patterns.some(({ matches }) => matches(path)) && !isAway(path),
    // `!node_modules/**` matches the folder itself, too: nothing in it is looked at.
    entersFolder: (path) => patterns.some(({ mayLieIn }) => mayLieIn(path)) && !isAway(path),
    roots: outermost(patterns.map(({ base }) => base)),
    named: [...new Set(taken.filter((glob) => !hasWildcard(glob)))].sort(),
  };
}

interface Pattern {
  readonly base: string;
  readonly matches: (path: string) => boolean;
  readonly mayLieIn: (folder: string) => boolean;
}

function patternOf(glob: string): Pattern {
  const parts = glob.split("/");
  const wild = parts.findIndex(hasWildcard);
  const base = parts.slice(0, wild).join("/");
  // A brace can hold a slash: then nothing is known of the depth.
  const isDeep = parts.includes("**") || /\{[^}]*\//.test(glob);
  const depth = isDeep ? Number.POSITIVE_INFINITY : parts.length;
  const mayLieIn = (folder: string) =>
    (isIn(folder, base) || isIn(base, folder)) && folder.split("/").length < depth;
  return { base, matches: matcher(glob, false), mayLieIn };
}

/** A wildcard is one of `*`, `?`, `[ ]`, `{ }`; all else that regular expressions know stands for itself. */
function matcher(glob: string, dot: boolean): (path: string) => boolean {
  const plain = glob.replace(/[()|$^]/g, (character, at: number) => {
    const isClass = /\[[^\]]*$/.test(glob.slice(0, at));
    return isClass ? character : `\\${character}`;
  });
  return picomatch(plain, { dot, noextglob: true, nonegate: true, regex: false, posix: true });
}

function isIn(path: string, folder: string): boolean {
  return folder === "" || path === folder || path.startsWith(`${folder}/`);
}

function outermost(folders: readonly string[]): string[] {
  const all = [...new Set(folders)].sort();
  return all.filter((folder) => !all.some((other) => other !== folder && isIn(folder, other)));
}

/** Of git, and of wf itself. */
const NEVER_ENTERED: ReadonlySet<string> = new Set([".git", ".wf"]);

/**
 * The files below a folder that match, by their paths relative to it, sorted by code units. Links to files are files;
 * links to folders are not followed. Raises `UnreadableFolder`.
 */
export function matchingFiles(project: string, globs: GlobSet): string[] {
  const found: string[] = [];
  const walk = (folder: string) => {
    for (const entry of entriesOf(project, folder)) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!NEVER_ENTERED.has(entry.name) && globs.entersFolder(path)) walk(path);
      } else if (globs.matches(path) && (entry.isFile() || leadsToFile(project, path, entry)))
        found.push(path);
    }
  };
  for (const root of globs.roots) walk(root);
  return found.sort();
}

function entriesOf(project: string, folder: string): Dirent[] {
  try {
    return readdirSync(`${project}/${folder}`, { withFileTypes: true });
  } catch (error) {
    const errno = errnoOf(error);
    // The folder that a glob begins with need not be there.
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw new UnreadableFolder(folder === "" ? "." : folder, errno);
  }
}

function leadsToFile(project: string, path: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return false;
  try {
    return statSync(`${project}/${path}`).isFile();
  } catch {
    // A link to nowhere, or in a circle.
    return false;
  }
}
