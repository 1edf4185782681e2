import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { WfError } from "../core/problem.ts";
import { errnoOf, ioError } from "../store/io-error.ts";

/** One file of a run in its canonical form; the path is relative to the run, with `/`. */
export interface CanonFile {
  readonly path: string;
  readonly text: string;
}

/** The files of a run, in an order that depends on its definition alone. */
export type CanonForm = readonly CanonFile[];

export const HEADER = "=== ";
const PART_LENGTH = 1 << 16;
const UNENDED = " (no newline at the end)";

/**
 * All files as one text: each under a line `=== <path>`. A line of a file that begins so, or with backslashes before it,
 * gets one more backslash. A path that could be mistaken is a JSON string.
 */
export function* formatForm(form: CanonForm): Generator<string> {
  let part = "";
  for (const { path, text } of form) {
    const ended = text === "" || text.endsWith("\n");
    const body = text.includes(HEADER) ? text.replace(/^(\\*=== )/gm, "\\$1") : text;
    part += `${HEADER}${nameOf(path)}${ended ? "" : UNENDED}\n${body}${ended ? "" : "\n"}`;
    if (part.length < PART_LENGTH) continue;
    yield part;
    part = "";
  }
  if (part !== "") yield part;
}

/** The reverse; null if the text is none that `formatForm` makes. */
export function parseForm(text: string): CanonForm | null {
  if (text === "") return [];
  if (!text.startsWith(HEADER) || !text.endsWith("\n")) return null;
  const files: { path: string; text: string }[] = [];
  const starts = [...text.matchAll(/^=== .*$/gm)];
  for (const [index, found] of starts.entries()) {
    const header = found[0].slice(HEADER.length);
    const isUnended = header.endsWith(UNENDED);
    const path = pathOf(isUnended ? header.slice(0, -UNENDED.length) : header);
    if (path === null || leavesFolder(path)) return null;
    const from = found.index + found[0].length + 1;
    const end = starts[index + 1]?.index ?? text.length;
    const body = text.slice(from, isUnended ? end - 1 : end).replace(/^\\(\\*=== )/gm, "$1");
    files.push({ path, text: body });
  }
  return files;
}

function leavesFolder(path: string): boolean {
  return path === "" || path.split("/").some((part) => part === "" || part === "." || part === "..");
}

function nameOf(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const isPlain = !/^"|[\u0000-\u001f\u007f\u2028\u2029]|\)$/.test(path);
  return isPlain
    ? path
    : JSON.stringify(path).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

function pathOf(name: string): string | null {
  if (!name.startsWith('"')) return name;
  try {
    const path: unknown = JSON.parse(name);
    return typeof path === "string" ? path : null;
  } catch {
    return null;
  }
}

/** Writes the files into a folder that does not exist or is empty. Raises USAGE, IO_ERROR. */
export function writeForm(form: CanonForm, folder: string): void {
  if (!isFree(folder)) {
    throw new WfError({
      code: "USAGE",
      message: `${folder} is there and not empty`,
      hint: "name a folder that does not exist, or an empty one",
    });
  }
  try {
    mkdirSync(folder, { recursive: true });
    const made = new Set([""]);
    const make = (path: string) => {
      if (made.has(path)) return;
      make(folderOf(path));
      mkdirSync(`${folder}/${path}`);
      made.add(path);
    };
    for (const { path, text } of form) {
      make(folderOf(path));
      writeFileSync(`${folder}/${path}`, text);
    }
  } catch (error) {
    throw ioError(error, `write the canonical form to ${folder}`);
  }
}

/** Empty for a file that lies in none. */
function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function isFree(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    if (errnoOf(error) === "ENOTDIR") return false;
    throw ioError(error, `read ${folder}`);
  }
}
