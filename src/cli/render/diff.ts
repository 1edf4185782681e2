import { type Change, GROUPS, type RunDiff } from "../../review/diff.ts";
import { diffTexts, type TextDiff } from "../../review/diff-text.ts";
import { colors } from "./style.ts";
import { count, neutralize, oneLine } from "./text.ts";

export interface Names {
  readonly before: string;
  readonly after: string;
}

const TITLES: Readonly<Record<Change["group"], string>> = {
  definition: "definition",
  inputs: "inputs",
  path: "path taken",
  decisions: "decisions and reasons",
  scripts: "scripts and prompts",
  outputs: "outputs",
  logs: "logs",
  status: "status and errors",
  other: "other files",
};

/** The verdict first, then what differs; line by line, so that a long one need not be whole in memory. */
export function* diffText(diff: RunDiff, names: Names, stat: boolean): Generator<string> {
  const c = colors();
  const same = diff.changes.length === 0;
  yield (same ? c.green : c.bold)(verdict(diff, names));
  if (same) return;
  if (!stat) yield `${c.red(`--- ${oneLine(names.before)}`)}\n${c.green(`+++ ${oneLine(names.after)}`)}`;
  for (const group of GROUPS) {
    const changes = diff.changes.filter((change) => change.group === group);
    if (changes.length === 0) continue;
    yield `\n${c.bold(TITLES[group])}`;
    const width = Math.max(
      ...changes.filter((change) => stat || isShort(change)).map(({ what }) => oneLine(what).length),
    );
    for (const change of changes) yield* changeText(change, stat, width);
  }
}

/** One line: whether the two mean the same, and if not, in what they differ. */
function verdict({ changes, before, after }: RunDiff, names: Names): string {
  const [a, b] = [outcome(before.run), outcome(after.run)];
  if (changes.length === 0) return `the same: both ${a}`;
  const groups = GROUPS.filter((group) => changes.some((change) => change.group === group));
  const ends = a === b ? `both ${a}` : `${oneLine(names.before)} ${a}, ${oneLine(names.after)} ${b}`;
  return `different: ${groups.map((group) => TITLES[group]).join(", ")}; ${ends}`;
}

/** `failed (EXIT_STATUS at test)`. */
function outcome(run: RunDiff["before"]["run"]): string {
  const { code, step } = run.reason ?? {};
  const why = code === undefined ? "" : ` (${code}${step === undefined ? "" : ` at ${step}`})`;
  return oneLine(`${run.status ?? "of unknown status"}${why}`);
}

const MAX_SHORT = 80;

/** Whether both sides fit on one line. */
function isShort({ before, after, file }: Change): boolean {
  if (before === null || after === null || file !== null) return false;
  return before.length + after.length <= MAX_SHORT && !before.includes("\n") && !after.includes("\n");
}

function* changeText(change: Change, stat: boolean, width: number): Generator<string> {
  const c = colors();
  const { what, before, after } = change;
  const name = oneLine(what);
  const only = before === null ? " (new)" : after === null ? " (gone)" : "";
  if (stat) {
    const { added, removed } = diffTexts(before, after);
    yield `  ${name.padEnd(width)}  ${c.green(`+${added}`)} ${c.red(`-${removed}`)}${only}`;
  } else if (isShort(change)) {
    const [from, to] = [before, after].map((text) => oneLine(text ?? ""));
    yield `  ${c.cyan(name.padEnd(width))}  ${c.red(from ?? "")} → ${c.green(to ?? "")}`;
  } else {
    yield `  ${c.cyan(name)}${only}`;
    yield* hunkLines(change, diffTexts(before, after));
  }
}

function* hunkLines(change: Change, { hunks, added, removed }: TextDiff): Generator<string> {
  const c = colors();
  if (hunks.length === 0 && added + removed > 0) {
    yield c.dim(
      `    too different to be shown: ${count(removed, "line")} before, ${count(added, "line")} after`,
    );
    return;
  }
  for (const [index, { before, after, lines }] of hunks.entries()) {
    if (change.file !== null && change.before !== null && change.after !== null) {
      yield c.dim(`    @@ line ${before}, now ${after} @@`);
    } else if (index > 0) yield c.dim("    …");
    yield lines.map((line) => (line === " " ? "" : `    ${paint(neutralize(line))}`)).join("\n");
  }
}

function paint(line: string): string {
  const c = colors();
  if (line.startsWith("+")) return c.green(line);
  if (line.startsWith("-")) return c.red(line);
  return line.startsWith("\\") ? c.dim(line) : line;
}

/** Described by `schemas/cli/diff.schema.json`. */
export function diffJson(diff: RunDiff, names: Names, stat: boolean): object {
  return {
    equal: diff.changes.length === 0,
    verdict: verdict(diff, names),
    a: { name: names.before, status: diff.before.run.status ?? null, reason: diff.before.run.reason ?? null },
    b: { name: names.after, status: diff.after.run.status ?? null, reason: diff.after.run.reason ?? null },
    changes: diff.changes.map((change) => changeJson(change, stat)),
  };
}

function changeJson({ group, what, file, before, after }: Change, stat: boolean): object {
  const { added, removed, hunks } = diffTexts(before, after);
  return {
    group,
    what,
    file,
    change: before === null ? "added" : after === null ? "removed" : "changed",
    added,
    removed,
    ...(!stat && { hunks }),
  };
}
