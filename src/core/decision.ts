import type { Decision } from "./event.ts";

/** What a gate's output `decision` says; null if it is neither. */
export function parseDecision(text: unknown): Decision | null {
  const word = typeof text === "string" ? text.trim().toLowerCase() : "";
  return word === "approve" || word === "reject" ? word : null;
}
