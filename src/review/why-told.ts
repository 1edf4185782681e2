import type { ForkedFrom, RunReason, RunStatus } from "../core/event.ts";
import type { PlaceName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { StepRecord } from "../core/record.ts";
import type { Liveness } from "./liveness.ts";
import type { RootCause } from "./root-cause.ts";
import type { InputsStory } from "./why-inputs.ts";
import type { StepPlan } from "./why-plan.ts";
import type { ResumePlan } from "./why-resume.ts";
import type { AttemptTrace } from "./why-trace.ts";

/** Why a run came to where it is, and what a resume would make of it. */
export interface RunWhy {
  readonly runId: string;
  readonly runDir: string;
  /** The steps that it is in; empty for the outermost. */
  readonly within: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly reason: RunReason | null;
  /** The attempt that made it fail, however deep it lies; null: it has not failed because of one. */
  readonly rootCause: RootCause | null;
  readonly interrupted: boolean;
  /** Null: it is no fork. */
  readonly forkedFrom: ForkedFrom | null;
  readonly liveness: Liveness;
  readonly steps: readonly StepWhy[];
  readonly resume: ResumePlan;
}

/** A step, or an item of one. */
export interface StepWhy extends PlaceName {
  /** From the outermost run: `deploy/item-3/test`. */
  readonly name: string;
  /** Of an item. */
  readonly value?: Json;
  readonly record: StepRecord;
  /** Why the run came to it, or did not; each attempt has its own. */
  readonly because: string;
  /** Its `when`, and whether it was true; null if it has none. */
  readonly when: { readonly source: string; readonly is: boolean | null } | null;
  readonly needs: readonly { readonly step: string; readonly status: string }[];
  readonly attempts: readonly AttemptTrace[];
  /** What made it fail, if that lies in it. */
  readonly rootCause: RootCause | null;
  readonly resume: StepPlan;
  /** Of the newest attempt; null if it declares nothing that it depends on. */
  readonly inputs: InputsStory | null;
  /** What has become of its input files since it passed, a sentence each. */
  readonly changedSince: readonly string[];
  /** With `foreach`. */
  readonly items: readonly StepWhy[];
  /** The nested run of its newest attempt; null as well if nobody wants to know of it. */
  readonly run: RunWhy | null;
}
