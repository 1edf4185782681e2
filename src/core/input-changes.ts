import { canonicalText, type InputParts, type PartValue } from "./input-parts.ts";
import { textOf } from "./template.ts";

/** The texts of the two scripts, as far as they are there. */
export interface ScriptTexts {
  readonly before: string | null;
  readonly now: string | null;
}

/** What is different between two attempts' inputs, a sentence each, the weightiest first; empty if nothing is. */
export function changesBetween(before: InputParts, now: InputParts, scripts: ScriptTexts): string[] {
  const sameScript = before.script === now.script;
  return [
    ...(sameScript ? [] : [scriptChange(scripts)]),
    ...changedValues(before.values, now.values, sameScript),
    ...changedVariables(before.env, now.env),
    ...changedFiles(before.files, now.files),
    ...otherChanges(before, now),
  ];
}

function otherChanges(before: InputParts, now: InputParts): string[] {
  const sentences: string[] = [];
  const note = (isSame: boolean, sentence: string) => {
    if (!isSame) sentences.push(sentence);
  };
  const [shell, newShell] = [before.shell.join(" "), now.shell.join(" ")];
  note(shell === newShell, `the shell changed: ${fromTo(shell, newShell)}`);
  note(
    before.workspace === now.workspace,
    `workspace_mode changed: ${fromTo(before.workspace, now.workspace)}`,
  );
  note(isSame(before.cwd, now.cwd), `cwd changed${shownChange(before.cwd ?? NONE, now.cwd ?? NONE)}`);
  note(isSame(before.outputs, now.outputs), "what the step declares as its outputs changed");
  note(
    before.decides === now.decides,
    now.decides ? "the step is a gate now" : "the step is no gate any more",
  );
  const absent = [before.absent, now.absent].map((paths) => JSON.stringify(paths));
  note(absent[0] === absent[1], "the files that must be absent are other ones");
  return sentences;
}

const NONE: PartValue = { value: null };

/** Of values that only a changed script names, the script says enough. */
function changedValues(
  before: InputParts["values"],
  now: InputParts["values"],
  sameScript: boolean,
): string[] {
  return Object.entries(now).flatMap(([path, value]) => {
    const old = before[path];
    if (old === undefined) return sameScript ? [`it depends on ${path} now`] : [];
    if (isSame(old, value)) return [];
    const what = isArtifact(value) ? "the content of" : "the value of";
    return [`${what} ${path} changed${isArtifact(value) ? "" : shownChange(old, value)}`];
  });
}

function changedVariables(before: InputParts["env"], now: InputParts["env"]): string[] {
  return namesIn(before, now).flatMap((name) => {
    const [old, value] = [before[name], now[name]];
    if (old === undefined) return [`the variable ${name} is new`];
    if (value === undefined) return [`the variable ${name} is gone`];
    return isSame(old, value) ? [] : [`the variable ${name} changed${shownChange(old, value)}`];
  });
}

/** More input files are counted. */
const LISTED_FILES = 5;

/** What has become of the files, the first of them by name. */
export function changedFiles(before: InputParts["files"], now: InputParts["files"]): string[] {
  const sentences = namesIn(before, now)
    .filter((path) => before[path] !== now[path])
    .map((path) => `input file ${quoted(path)} ${whatBecame(before[path], now[path])}`);
  const more = sentences.length - LISTED_FILES;
  if (more <= 0) return sentences;
  return [...sentences.slice(0, LISTED_FILES), `${more} more input file${more === 1 ? "" : "s"} changed`];
}

function whatBecame(before: string | undefined, now: string | undefined): string {
  if (before === undefined) return "is new";
  if (now === undefined) return "is gone";
  if (before.slice(0, 64) !== now.slice(0, 64)) return "changed";
  return now.endsWith(" x") ? "is executable now" : "is not executable any more";
}

/** `line 3 of the script changed: old → new`. */
function scriptChange({ before, now }: ScriptTexts): string {
  if (before === null || now === null) return "the script changed";
  const [old, fresh] = [linesOf(before), linesOf(now)];
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let end = 0;
  const shorter = Math.min(old.length, fresh.length) - start;
  while (end < shorter && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end += 1;
  const gone = old.slice(start, old.length - end);
  const put = fresh.slice(start, fresh.length - end);
  const [first = "", last = ""] = [gone[0], put[0]];
  if (gone.length === 0 && put.length === 0) return "the script changed";
  if (gone.length === 0)
    return `${lineNames(start, put.length)} of the script ${isOrAre(put)} new: ${quoted(last)}`;
  if (put.length === 0)
    return `${lineNames(start, gone.length)} of the script ${isOrAre(gone)} gone: ${quoted(first)}`;
  const lines = lineNames(start, put.length);
  return `${lines} of the script changed${put.length > 1 ? ", the first" : ""}: ${fromTo(first, last)}`;
}

function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}

function lineNames(start: number, count: number): string {
  return count === 1 ? `line ${start + 1}` : `lines ${start + 1} to ${start + count}`;
}

function isOrAre(lines: readonly string[]): string {
  return lines.length === 1 ? "is" : "are";
}

function namesIn(before: object, now: object): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
}

function isSame(a: PartValue | undefined, b: PartValue | undefined): boolean {
  return canonicalText(a) === canonicalText(b);
}

/** What stands for an artifact in a value: its name and digest, since its path is another one in each run. */
export function artifactMark(name: string, sha256: string): string {
  return `<artifact ${name} sha256:${sha256}>`;
}

function isArtifact(value: PartValue): boolean {
  return "value" in value && typeof value.value === "string" && value.value.startsWith("<artifact ");
}

/** Nothing is shown of values that only their digests are known of. */
function shownChange(old: PartValue, now: PartValue): string {
  if (!("value" in old) || !("value" in now)) return "";
  return `: ${fromTo(textOf(old.value), textOf(now.value))}`;
}

function fromTo(old: string, now: string): string {
  return `${quoted(old)} → ${quoted(now)}`;
}

const SHOWN_CHARACTERS = 80;

/** On one line, without control characters, and not too much of it. */
function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const plain = text.trim().replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
  return `\`${plain.length > SHOWN_CHARACTERS ? `${plain.slice(0, SHOWN_CHARACTERS)}…` : plain}\``;
}
