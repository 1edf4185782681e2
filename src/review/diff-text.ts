import { structuredPatch } from "diff";

/** Lines that differ, with those around them. */
export interface Hunk {
  /** From 1. */
  readonly before: number;
  readonly after: number;
  /** Each begins with ` `, `-` or `+`. */
  readonly lines: readonly string[];
}

export interface TextDiff {
  readonly added: number;
  readonly removed: number;
  /** Empty if the texts are so long and so different that lines can not be told. */
  readonly hunks: readonly Hunk[];
}

const CONTEXT = 3;
/** Texts further apart than this are not compared line by line: it takes time in the square of it. */
const MAX_EDITS = 4000;

/** What makes `after` of `before`; a side that is null has no line. */
export function diffTexts(before: string | null, after: string | null): TextDiff {
  const [a, b] = [before ?? "", after ?? ""];
  const patch = structuredPatch("", "", a, b, "", "", { context: CONTEXT, maxEditLength: MAX_EDITS });
  if (patch === undefined) return { added: count(b), removed: count(a), hunks: [] };
  const hunks = patch.hunks.map(
    ({ oldStart, newStart, lines }): Hunk => ({
      before: oldStart,
      after: newStart,
      // A value has no newline at its end, and that is of no interest.
      lines: lines.filter((line) => !line.startsWith("\\") || a.endsWith("\n") || b.endsWith("\n")),
    }),
  );
  const starting = (sign: string) =>
    hunks.flatMap(({ lines }) => lines).filter((line) => line.startsWith(sign)).length;
  return { added: starting("+"), removed: starting("-"), hunks };
}

function count(text: string): number {
  return text === "" ? 0 : text.replace(/\n$/, "").split("\n").length;
}
