import type { Decision, JournalLine } from "../core/event.ts";

/** A decision that counts, as the journal tells of it. */
export interface MadeDecision {
  readonly step: string;
  readonly attempt: number;
  readonly decision: Decision;
  /** A person's comment or the feedback that the step gave; may be empty. */
  readonly comment: string;
  /** The person; null if the step decided by itself, as agents and commands do. */
  readonly by: string | null;
  readonly at: string;
}

/** All decisions of a run, in the order in which they were made. */
export function decisionsOf(lines: readonly JournalLine[]): MadeDecision[] {
  const made = new Map<string, MadeDecision>();
  for (const line of lines) {
    if (line.event === "decision") {
      const { step, attempt, decision, comment, at } = line;
      made.set(`${step}/${attempt}`, { step, attempt, decision, comment, by: line.volatile.by, at });
    } else if (line.event === "attempt_ended" && line.record.decision !== undefined) {
      const { step, attempt, decision, outputs } = line.record;
      if (made.has(`${step}/${attempt}`)) continue;
      const { feedback } = outputs;
      const said = feedback && "value" in feedback ? feedback.value : "";
      const comment = typeof said === "string" ? said : JSON.stringify(said);
      made.set(`${step}/${attempt}`, { step, attempt, decision, comment, by: null, at: line.at });
    }
  }
  return [...made.values()];
}
