import type { MadeDecision } from "../decisions.ts";
import { PAST } from "./gate.ts";
import { localTime, oneLine, table } from "./text.ts";

const LISTED = 20;

/** A line each, the newest last. */
export function decisionLines(made: readonly MadeDecision[]): string[] {
  const rows = made
    .slice(-LISTED)
    .map((each) => [
      `  ${each.name}/${each.attempt}`,
      `${decisionText(each)}, ${localTime(each.at)}${said(each)}`,
    ]);
  const more = made.length > LISTED ? [`  and ${made.length - LISTED} before these`] : [];
  return ["decisions:", ...more, ...table(rows)];
}

/** `approved by ann@build-7`. */
export function decisionText({ decision, by }: Pick<MadeDecision, "decision" | "by">): string {
  return `${PAST[decision]} by ${by === null ? "the step itself" : oneLine(by)}`;
}

function said({ comment }: MadeDecision): string {
  return comment === "" ? "" : `: ${oneLine(comment)}`;
}
