import type { Decision, JournalLine } from "../core/event.ts";
import { type AttemptName, nameWithin } from "../core/ids.ts";

/** A decision that counts, as the journal tells of it. */
export interface MadeDecision {
  /** From the outermost run: `deploy/item-3/sign_off`. */
  readonly name: string;
  readonly step: string;
  readonly attempt: number;
  readonly decision: Decision;
  /** A person's comment or the feedback that the step gave; may be empty. */
  readonly comment: string;
  /** The person; null if the step decided by itself, as agents and commands do. */
  readonly by: string | null;
  readonly at: string;
}

/** All decisions of a run, in the order in which they were made. `within`: the steps that it is in, if it is a nested one. */
export function decisionsOf(lines: readonly JournalLine[], within = ""): MadeDecision[] {
  const made = new Map<string, MadeDecision>();
  const add = (place: AttemptName, rest: Omit<MadeDecision, "name" | "step" | "attempt">) => {
    const { step, attempt } = place;
    const name = nameWithin(within, place);
    made.set(`${name}/${attempt}`, { name, step, attempt, ...rest });
  };
  for (const line of lines) {
    if (line.event === "decision") {
      const { decision, comment, at } = line;
      add(line, { decision, comment, by: line.volatile.by, at });
    } else if (line.event === "attempt_ended" && line.record.decision !== undefined) {
      const { decision, outputs } = line.record;
      if (made.has(`${nameWithin(within, line.record)}/${line.record.attempt}`)) continue;
      const { feedback } = outputs;
      const said = feedback && "value" in feedback ? feedback.value : "";
      const comment = typeof said === "string" ? said : JSON.stringify(said);
      add(line.record, { decision, comment, by: null, at: line.at });
    }
  }
  return [...made.values()];
}
