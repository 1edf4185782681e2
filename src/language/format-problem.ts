import type { Problem } from "../core/problem.ts";
import { columns, printable } from "./display.ts";

/** What each piece of a printed problem is, for those who give it a colour. */
export type Part = "position" | "message" | "code" | "gutter" | "caret" | "hint";
export type Paint = (part: Part, text: string) => string;

const TAB = "    ";
/** A line of more characters is cut, to this many before and after the place. */
const MAX_LINE = 120;
const BEFORE = 50;
const AFTER = 60;
const CUT = "…";

/** Problems as text, each with its place, its line and a caret below it, and what to do. Ends with a newline. */
export function formatProblems(problems: readonly Problem[], paint: Paint = (_, text) => text): string {
  return problems.map((problem) => `${formatProblem(problem, paint).join("\n")}\n`).join("\n");
}

function formatProblem(problem: Problem, paint: Paint): string[] {
  const { position, excerpt, hint } = problem;
  const place = position
    ? `${paint("position", `${printable(position.file)}:${position.line}:${position.column}:`)} `
    : "";
  const lines = [
    `${place}${paint("message", printable(problem.message))}   ${paint("code", `[${problem.code}]`)}`,
  ];
  if (position && excerpt) {
    const shown = cut([...excerpt.text], position.column - 1, excerpt.length);
    const number = String(position.line).padStart(4);
    const before = columns(shown.before);
    const width = Math.max(1, columns(shown.marked));
    lines.push(paint("gutter", `${number} |`) + withSpace(shown.before + shown.marked + shown.after));
    lines.push(
      paint("gutter", `${" ".repeat(number.length)} |`) +
        withSpace(" ".repeat(before) + paint("caret", "^".repeat(width))),
    );
  }
  if (hint !== undefined) lines.push(`  ${paint("hint", "hint:")} ${printable(hint)}`);
  return lines;
}

function withSpace(text: string): string {
  return text === "" ? "" : ` ${text}`;
}

/** The line in three pieces, as a terminal shows them; a long line is cut around the marked piece. */
function cut(
  line: readonly string[],
  from: number,
  length: number,
): { before: string; marked: string; after: string } {
  const isLong = line.length > MAX_LINE;
  const start = isLong ? Math.max(0, from - BEFORE) : 0;
  const to = from + (isLong ? Math.min(length, AFTER) : length);
  const end = isLong ? Math.min(line.length, Math.max(to, from + AFTER)) : line.length;
  const show = (chars: readonly string[]) =>
    chars.map((char) => (char === "\t" ? TAB : printable(char))).join("");
  return {
    before: (start > 0 ? CUT : "") + show(line.slice(start, from)),
    marked: show(line.slice(from, to)),
    after: show(line.slice(to, end)) + (end < line.length ? CUT : ""),
  };
}
