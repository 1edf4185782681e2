import { setTimeout as wait } from "node:timers/promises";
import { JournalTail } from "../review/journal-tail.ts";
import { type Liveness, liveness } from "../review/liveness.ts";

const LOOK_EVERY_MS = 50;

/** What became of a request in `control/` that an engine should have seen. */
export type Answer =
  | { readonly kind: "taken"; readonly driver: Liveness }
  | { readonly kind: "refused"; readonly because: string }
  /** Nobody has looked at it in the time given. */
  | { readonly kind: "left"; readonly driver: Liveness; readonly file: string };

/**
 * The engine that drives the run takes the request or refuses it; null if it went away before it did. `driver`: as it
 * was seen last; with what it took it may have come to its end. `of`: the nested run that has the request in its
 * `control/`.
 */
export async function waitUntilTaken(
  runDir: string,
  file: string,
  driver: Liveness,
  patienceMs: number,
  of = runDir,
): Promise<Answer | null> {
  const journal = new JournalTail(of);
  const until = performance.now() + patienceMs;
  for (;;) {
    const now = liveness(runDir);
    for (const line of journal.read()) {
      if (line.event === "request_taken" && line.file === file) return { kind: "taken", driver };
      if (line.event === "request_refused" && line.file === file)
        return { kind: "refused", because: line.because };
    }
    if (now.state === "nobody") return null;
    if (performance.now() > until) return { kind: "left", driver: now, file };
    await wait(LOOK_EVERY_MS);
  }
}
