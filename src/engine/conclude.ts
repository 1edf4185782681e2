import { placeName } from "../core/ids.ts";
import type { Observer, Outcome } from "./api.ts";
import { hasNewRequests } from "./control.ts";
import { drive } from "./drive.ts";
import type { InnerOptions } from "./drive-group.ts";
import type { Session } from "./session.ts";

/** Drives a session to its end and lets go of the run, whatever happens. */
export async function driveAndRelease(
  session: Session,
  options: InnerOptions,
): Promise<Outcome & { readonly moreRequests: boolean }> {
  try {
    const { signal } = await drive(session, options);
    const record = session.toRecord();
    letGo(session);
    // A request that came while this engine was on its way out has been seen by nobody.
    return { runDir: session.places.runDir, record, signal, moreRequests: hasNewRequests(session) };
  } catch (error) {
    try {
      letGo(session);
    } catch {
      // The first error is the one to tell; a claim that could not be given up is that of a dead process soon.
    }
    throw error;
  }
}

export function letGo(session: Session): void {
  session.close();
  session.claim.release();
}

/** An observer that also remembers how the last attempt ended. */
export function rememberingAttempt(observer: Observer | undefined): {
  observer: Observer;
  last(): NonNullable<Outcome["attempt"]> | undefined;
} {
  let last: NonNullable<Outcome["attempt"]> | undefined;
  return {
    last: () => last,
    observer: {
      created: (run) => observer?.created?.(run),
      note: (sentence) => observer?.note?.(sentence),
      event(line, state, within) {
        if (line.event === "attempt_ended") {
          const { attempt, status } = line.record;
          const name = placeName(line.record);
          last = { step: within ? `${within.name}/${name}` : name, attempt, status };
        }
        observer?.event?.(line, state, within);
      },
    },
  };
}
