import type { StopReason } from "../core/event.ts";

/** An attempt that is under way, started by this engine or adopted from an earlier one. */
export interface LiveAttempt {
  readonly index: number;
  readonly step: string;
  readonly attempt: number;
  readonly adopted: boolean;
  /** Set once the engine has asked it to stop. */
  stop?: { readonly because: StopReason; killNow(): void };
}
