import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { WfError } from "../core/problem.ts";
import { nearest } from "../language/did-you-mean.ts";
import { isCanonicalId } from "../review/canon-places.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { findProject } from "../system/project.ts";
import { createdAt, readHead } from "./run-head.ts";

const LISTED = 10;

export interface RunPlace {
  readonly id: string;
  /** A run directory, or the file of an older record. */
  readonly path: string;
}

/** `--runs-dir`, else `WF_RUNS_DIR`, else `.wf/runs` in the project of the present folder. */
export function findRunsDir(given?: string): string {
  const named = given ?? process.env.WF_RUNS_DIR;
  return named ? resolve(named) : join(findProject(process.cwd()), ".wf", "runs");
}

/** Every run in a folder, in no order; none if the folder does not exist. */
export function listRuns(runsDir: string): RunPlace[] {
  let entries: ReturnType<typeof readFolder>;
  try {
    entries = readFolder(runsDir);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError(error, `read the runs folder ${runsDir}`);
  }
  const places: RunPlace[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = `${runsDir}${sep}${entry.name}`;
    if (entry.isDirectory() || (entry.isSymbolicLink() && isFolder(path)))
      places.push({ id: entry.name, path });
    else if (entry.name.endsWith(".json")) places.push({ id: entry.name.slice(0, -".json".length), path });
  }
  return places;
}

/** The one run that `name` stands for. Raises RUN_NOT_FOUND, RUN_AMBIGUOUS. */
export function findRun(name: string, runsDir: string): RunPlace {
  const found = findRecord(name, runsDir);
  const head = readHead(found.path);
  if (typeof head !== "object" || !isCanonicalId(head.runId)) return found;
  throw new WfError({
    code: "RUN_NOT_FOUND",
    message: `${name} is the canonical form of a run, such as a fixture, and no run`,
    hint: "wf canon, wf diff, wf replay and wf fixture take it",
  });
}

/** The same for a canonical form too. */
export function findRecord(name: string, runsDir: string): RunPlace {
  if (name === "latest") return latestRun(runsDir);
  if (name.includes("/") || name === "." || name === "..") return byPath(name);
  for (const path of [join(runsDir, name), join(runsDir, `${name}.json`)]) {
    if (!name.startsWith(".") && existsSync(path)) return { id: name, path: real(path) };
  }
  if (looksLikeRun(resolve(name))) return byPath(name);
  const all = listRuns(runsDir);
  const matches = all.filter(({ id }) => id.includes(name));
  const [only] = matches;
  if (only === undefined) throw notFound(name, runsDir, all);
  if (matches.length === 1) return { id: only.id, path: real(only.path) };
  const newest = matches.map(({ id }) => id).sort((a, b) => (a < b ? 1 : -1));
  const more = newest.length > LISTED ? [`and ${newest.length - LISTED} more`] : [];
  throw new WfError({
    code: "RUN_AMBIGUOUS",
    message: `${matches.length} runs have "${name}" in their id`,
    hint: ["name one of them:", ...newest.slice(0, LISTED).map((id) => `  ${id}`), ...more].join("\n"),
  });
}

/** What to call a run in a command that is printed: its id where that finds it, else its path. */
export function nameOf(runDir: string, runsDir: string = findRunsDir()): string {
  if (dirname(runDir) === runsDir || dirname(runDir) === realOrSame(runsDir)) return basename(runDir);
  return displayPath(runDir, true);
}

/** A path as a person would write it: relative to the present folder where that is shorter. */
export function displayPath(path: string, asRun = false): string {
  const short = relative(process.cwd(), path);
  if (short === "") return ".";
  if (short.startsWith(`..${sep}..`) || isAbsolute(short) || short.length >= path.length) return path;
  return asRun && !short.includes("/") ? `./${short}` : short;
}

function latestRun(runsDir: string): RunPlace {
  let latest: (RunPlace & { readonly at: string }) | undefined;
  for (const place of listRuns(runsDir)) {
    const at = createdAt(place.path);
    if (at === undefined || (latest && (at < latest.at || (at === latest.at && place.id < latest.id))))
      continue;
    latest = { ...place, at };
  }
  if (latest) return { id: latest.id, path: real(latest.path) };
  throw new WfError({
    code: "RUN_NOT_FOUND",
    message: `there is no run yet in ${runsDir}`,
    hint: "start one with wf run FILE",
  });
}

function byPath(name: string): RunPlace {
  const path = resolve(name);
  if (!existsSync(path)) {
    throw new WfError({
      code: "RUN_NOT_FOUND",
      message: `there is no ${name}`,
      hint: "wf ls lists the runs",
    });
  }
  const found = real(path);
  return { id: basename(found, ".json"), path: found };
}

function looksLikeRun(path: string): boolean {
  return existsSync(join(path, RUN_FILES.snapshot)) || existsSync(join(path, RUN_FILES.journal));
}

function notFound(name: string, runsDir: string, all: readonly RunPlace[]): WfError {
  const near = nearest(
    name,
    all.slice(-1000).map(({ id }) => id),
  );
  const hint = all.length === 0 ? "there are no runs in it yet" : "wf ls lists the runs";
  return new WfError({
    code: "RUN_NOT_FOUND",
    message: `there is no run "${name}" in ${runsDir}`,
    hint: near === null ? hint : `did you mean ${near}?\n${hint}`,
  });
}

function readFolder(path: string) {
  return readdirSync(path, { withFileTypes: true });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw ioError(error, `look at ${path}`);
  }
}

export function realOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
