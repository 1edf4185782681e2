import type { StopReason } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";

/** An attempt that is under way, started by this engine or adopted from an earlier one. */
export interface LiveAttempt extends AttemptName {
  /** Of the node. */
  readonly index: number;
  readonly adopted: boolean;
  /** Set once the engine has asked it to stop. */
  stop?: { readonly because: StopReason; killNow(): void };
}
