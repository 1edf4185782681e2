import type { ProcessIdentity, StopReason } from "../core/event.ts";
import type { ProcessEnd } from "../process/adopt.ts";

/** How an attempt's process ended; an adopted one may turn out never to have passed its gate. */
export type AttemptEnd = ProcessEnd | { readonly neverBegan: true };

/** An attempt that is under way, started by this engine or adopted from an earlier one. */
export interface LiveAttempt {
  readonly index: number;
  readonly step: string;
  readonly attempt: number;
  readonly identity: ProcessIdentity;
  readonly adopted: boolean;
  /** Set once the engine has asked it to stop. */
  stop?: { readonly because: StopReason; killNow(): void };
}
