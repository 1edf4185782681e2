import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { WfError } from "../core/problem.ts";
import { readIfPresent, replaceFile } from "../store/atomic-file.ts";
import { errnoOf, ioError } from "../store/io-error.ts";

/** Of the attributes and of the section in git's configuration. */
const DRIVER = "wf-run";
const KEY = `diff.${DRIVER}.textconv`;
const BEGIN = "# >>> wf git-setup: git diff shows committed runs without noise";
const END = "# <<< wf git-setup";
/** At the end of the first line, if the line before it had no end: undoing takes that back too. */
const UNENDED = " (joined)";

/** The files of a run that hold what differs from run to run. */
const PATTERNS = [
  "run.json",
  "progress.ndjson",
  "**/steps/**/attempt-*/agent.json",
  "**/steps/**/attempt-*/gate.json",
  "**/steps/**/attempt-*/prompt.md",
  "**/steps/**/attempt-*/stdout.log",
  "**/steps/**/attempt-*/stderr.log",
  "**/lock/owner-*.json",
  "**/control/*.json",
];

export type SetupPart = "attributes" | "configuration";

export interface SetupState {
  /** The top folder of the working tree. */
  readonly repository: string;
  /** Parts that are not as they should be, and why. */
  readonly missing: readonly { readonly part: SetupPart; readonly what: string }[];
}

/** What of the set-up a repository has. `command`: the program and arguments that git is to give a file to. */
export function checkSetup(folder: string, command: readonly string[]): SetupState {
  const repository = topOf(folder);
  const missing: { part: SetupPart; what: string }[] = [];
  const file = attributesOf(repository);
  if (!splitAt(file).block) missing.push({ part: "attributes", what: ".gitattributes has no lines of wf" });
  else if (splitAt(file).block !== blockFor(file))
    missing.push({
      part: "attributes",
      what: "the lines of wf in .gitattributes are not those of this version",
    });
  const configured = readConfiguration(repository);
  const wanted = commandLine(command);
  if (configured === null) missing.push({ part: "configuration", what: `${KEY} is not set in this clone` });
  else if (configured !== wanted) {
    missing.push({ part: "configuration", what: `${KEY} calls another wf: ${configured}` });
  }
  return { repository, missing };
}

/** Makes it so; returns what was missing. A second time there is nothing to do. Raises USAGE, IO_ERROR. */
export function setUp(folder: string, command: readonly string[]): SetupState {
  const state = checkSetup(folder, command);
  for (const { part } of state.missing) {
    if (part === "configuration") {
      git(state.repository, ["config", "--local", "--replace-all", KEY, commandLine(command)]);
      continue;
    }
    const file = attributesOf(state.repository);
    const { before, after, block } = splitAt(file);
    const rest = block === "" ? file : before + after;
    const joined = rest !== "" && !rest.endsWith("\n");
    write(state.repository, `${rest}${joined ? "\n" : ""}${blockText(joined)}`);
  }
  return state;
}

/** Removes what `setUp` wrote, and nothing else; returns the parts that were there. Raises USAGE, IO_ERROR. */
export function undoSetup(folder: string): {
  readonly repository: string;
  readonly removed: readonly SetupPart[];
} {
  const repository = topOf(folder);
  const removed: SetupPart[] = [];
  const { before, block, after } = splitAt(attributesOf(repository));
  if (block !== "") {
    const joined = block.startsWith(`${BEGIN}${UNENDED}`);
    const rest = (joined ? before.replace(/\n$/, "") : before) + after;
    if (rest === "") remove(repository);
    else write(repository, rest);
    removed.push("attributes");
  }
  const configured = readConfiguration(repository);
  if (configured !== null && / canon$/.test(configured)) {
    git(repository, ["config", "--local", "--unset-all", KEY]);
    removed.push("configuration");
  }
  return { repository, removed };
}

function blockFor(file: string): string {
  return blockText(splitAt(file).block.startsWith(`${BEGIN}${UNENDED}`));
}

function blockText(joined: boolean): string {
  const lines = PATTERNS.map((pattern) => `${pattern} diff=${DRIVER}`);
  return [`${BEGIN}${joined ? UNENDED : ""}`, ...lines, END, ""].join("\n");
}

/** What stands before, in and after the lines of wf; no block: all of it is before. */
function splitAt(file: string): { before: string; block: string; after: string } {
  const start = file.startsWith(BEGIN) ? 0 : file.indexOf(`\n${BEGIN}`) + 1;
  const found = start > 0 || file.startsWith(BEGIN) ? file.indexOf(`\n${END}`, start) : -1;
  if (found < 0) return { before: file, block: "", after: "" };
  const line = file.indexOf("\n", found + 1);
  const end = line < 0 ? file.length : line + 1;
  return { before: file.slice(0, start), block: file.slice(start, end), after: file.slice(end) };
}

function attributesOf(repository: string): string {
  const path = join(repository, ".gitattributes");
  try {
    return readIfPresent(path)?.toString("utf8") ?? "";
  } catch (error) {
    throw ioError(error, `read ${path}`);
  }
}

function write(repository: string, text: string): void {
  replaceFile(join(repository, ".gitattributes"), text, { sync: false });
}

function remove(repository: string): void {
  const path = join(repository, ".gitattributes");
  try {
    rmSync(path);
  } catch (error) {
    throw ioError(error, `remove ${path}`);
  }
}

/** As git gives it to `sh`; the file's name comes behind it. */
function commandLine(command: readonly string[]): string {
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}

function readConfiguration(repository: string): string | null {
  try {
    return git(repository, ["config", "--local", "--get", KEY]).replace(/\n$/, "");
  } catch (error) {
    // Not set.
    if ((error as { status?: number }).status === 1) return null;
    throw error;
  }
}

function topOf(folder: string): string {
  try {
    return git(folder, ["rev-parse", "--show-toplevel"]).replace(/\n$/, "");
  } catch (error) {
    const hint =
      errnoOf(error) === "ENOENT" && existsSync(folder) ? "git is not installed" : "git init makes one";
    throw new WfError(
      { code: "USAGE", message: `there is no git repository at ${folder}`, hint },
      { cause: error },
    );
  }
}

/** Raises the error of the process, with `status`. */
function git(folder: string, args: readonly string[]): string {
  const env = { ...process.env, LC_ALL: "C" };
  return execFileSync("git", ["-C", folder, ...args], {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
}
