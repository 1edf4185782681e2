import type { AttemptCause, RunReason, StopReason, TransitionCode } from "./event.ts";
import type { Ending, StepNode } from "./state.ts";

/** What the engine knows and the journal does not. Times are milliseconds since 1970. */
export interface Situation {
  readonly now: number;
  /** Attempts that may be started now. */
  readonly slots: number;
  /** A person's signal: nothing more is started. */
  readonly signal: "SIGINT" | "SIGTERM" | null;
  /** `wf next`: no attempt beyond this many; absent: as many as it takes. */
  readonly attemptsLeft?: number;
  /** `--until`: this step and what leads to it, then a pause. */
  readonly until?: { readonly step: number; readonly within: ReadonlySet<number> };
  /** Stay and wait for people and for limits to end, where else the run would be left `waiting`. */
  readonly stay?: boolean;
  /** Since when a running step has printed nothing; milliseconds since 1970. */
  quietSince?(index: number): number;
  /** Whether a step's next attempt needs no place: what it would do has been done already. */
  needsNoPlace?(node: StepNode): boolean;
  /** The truth of a step's `when`. */
  when(node: StepNode): { readonly is: boolean } | { readonly error: string };
}

/** What to do now, and why. */
export type Action =
  | {
      readonly do: "start";
      readonly index: number;
      readonly cause: AttemptCause;
      readonly whenError?: string;
    }
  /** The list of a `foreach` is to be frozen; its items come after. */
  | { readonly do: "foreach"; readonly index: number; readonly cause: AttemptCause }
  /** The time has come that a nested run waits for. */
  | { readonly do: "resume"; readonly index: number }
  | { readonly do: "skip"; readonly index: number; readonly because: string }
  | { readonly do: "stop"; readonly index: number; readonly because: StopReason }
  | {
      readonly do: "schedule_retry";
      readonly index: number;
      readonly attempt: number;
      readonly notBefore: number;
      readonly because: string;
    }
  | {
      readonly do: "transition";
      readonly from: string;
      readonly to: string;
      readonly because: { readonly code: TransitionCode; readonly message: string };
    }
  /** `until`: when going on is of use; milliseconds since 1970. */
  | { readonly do: "wait"; readonly reason: RunReason; readonly until?: number }
  /** What comes to its end has `finally` steps, which come first. */
  | ({ readonly do: "finally" } & Ending)
  | ({ readonly do: "end" } & Ending);
