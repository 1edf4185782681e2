import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttemptCause } from "../core/event.ts";
import { nodeAt } from "../core/state.ts";
import { listOf } from "../steps/foreach.ts";
import { failAtOnce } from "./fail-at-once.ts";
import type { Session } from "./session.ts";

/** Freezes the list that a step goes through; what is no list fails the step. */
export function startForeach(session: Session, index: number, cause: AttemptCause): void {
  const { state, places } = session;
  const node = nodeAt(state, index);
  const list = listOf({ state, places, node }, (file) => readText(join(places.runDir, file)));
  if (!("items" in list)) {
    failAtOnce(session, node, node.attempts + 1, cause, list);
    return;
  }
  session.record({ event: "foreach_started", step: node.step.id, cause, items: list.items });
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
