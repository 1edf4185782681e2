import type { JournalLine, RunOptions } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import type { RunRecord } from "../core/record.ts";
import type { RunState } from "../core/state.ts";

/** A value for an input, as it came: text from an argument, or a JSON value from a file. */
export interface GivenInput {
  readonly name: string;
  readonly value: Json;
  readonly from: "argument" | "file";
}

/** Told what happened, after it is on disk. An observer that throws stops the engine, not the steps. */
export interface Observer {
  /** The run exists; its folder is whole. */
  created?(run: { readonly runId: string; readonly runDir: string }): void;
  /** A committed line of the journal, and the state it led to; of a nested run too. */
  event?(line: JournalLine, state: RunState, within?: Within): void;
  /** Something a person should know that is not in the journal, such as a changed source file; one sentence. */
  note?(sentence: string): void;
}

/** The nested run that an event is of. */
export interface Within {
  /** The steps that it is in, such as `deploy` or `deploy/item-3/test`. */
  readonly name: string;
  readonly runDir: string;
}

export interface DriveOptions {
  /** At most this many steps at once; absent: the workflow's, else the number of CPUs. */
  readonly maxParallel?: number;
  /** Pause after this step. */
  readonly until?: string;
  /** Stay at an open gate and at a client's limit, instead of leaving the run `waiting`. */
  readonly wait?: boolean;
  /** Values of secret inputs, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly observer?: Observer;
  /** The environment steps start from; absent: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface StartRequest extends DriveOptions {
  /** The workflow file. */
  readonly file: string;
  /** The workflow of a workbook. */
  readonly workflowId?: string;
  readonly inputs: readonly GivenInput[];
  /** Absent: `WF_RUNS_DIR`, else `.wf/runs` in the project. */
  readonly runsDir?: string;
  readonly runId?: string;
  readonly durability?: RunOptions["durability"];
  readonly keepGoing?: boolean;
  readonly reuse?: ReuseRequest;
  /** The folder of a fixture: attempts that it answers are not made. Not together with `reuse`. */
  readonly answers?: string;
}

/**
 * The directory of a run whose finished attempts are taken over where nothing that they depend on has changed; or a
 * function that lists such directories for a workflow, the best first: the first that can be used is.
 */
export type ReuseRequest = string | ((workflowId: string) => readonly string[]);

export interface ResumeRequest extends DriveOptions {
  readonly runDir: string;
  readonly from?: string;
  /** Raised limits by name, such as `max_total_iterations: "200"`, `run_timeout: "2h"`. */
  readonly limits?: Readonly<Record<string, string>>;
  /** The project folder, where the recorded one does not exist. */
  readonly project?: string;
  /** A changed definition to go on with. */
  readonly workflow?: string;
  /** Inputs that get another value. */
  readonly inputs?: readonly GivenInput[];
  readonly reuse?: ReuseRequest;
  /** The folder of another fixture than the run has, or of its own as it is now. */
  readonly answers?: string;
}

/** An output that gets another content: `[STEP.]OUTPUT=FILE`. */
export interface GivenOutput {
  /** Absent: the one shared step that has such an output. */
  readonly step?: string;
  readonly output: string;
  readonly file: string;
}

export interface ForkRequest extends DriveOptions {
  /** The run that the new one is made from. */
  readonly runDir: string;
  /** What came before this step is shared. */
  readonly step: string;
  /** Sequences: … before this attempt of it; absent: before it was come to, the last time. */
  readonly attempt?: number;
  /** Inputs that have another value from there on. */
  readonly inputs: readonly GivenInput[];
  readonly outputs: readonly GivenOutput[];
  /** Absent: `WF_RUNS_DIR`, else `.wf/runs` in the project. */
  readonly runsDir?: string;
  readonly runId?: string;
  /** Absent: that of the other run. */
  readonly durability?: RunOptions["durability"];
  readonly keepGoing?: boolean;
  /** The project folder, where the recorded one does not exist. */
  readonly project?: string;
}

/** How driving a run ended: the snapshot as it is on disk. */
export interface Outcome {
  readonly runDir: string;
  readonly record: RunRecord;
  /** The signal that stopped it, if one did. */
  readonly signal: "SIGINT" | "SIGTERM" | null;
  /** `executeNext`: how the attempt that it made ended, if it made one. */
  readonly attempt?: { readonly step: string; readonly attempt: number; readonly status: string };
}

/** What `wf run --dry-run` prints: everything that is known before anything runs. */
export interface Plan {
  readonly workflow: string;
  readonly shape: "sequence" | "graph";
  readonly project: string;
  readonly runsDir: string;
  readonly inputs: Readonly<Record<string, Json>>;
  /** The fixture that would answer attempts, if one was named; which ones is known only when they are due. */
  readonly answers?: string;
  readonly steps: readonly PlannedStep[];
}

export interface PlannedStep {
  readonly id: string;
  readonly needs: readonly string[];
  readonly when?: string;
  /** The list whose items the step is done for; null: known only when the step starts. */
  readonly foreach?: readonly Json[] | null;
  readonly type: string;
  /** The script, the prompt or the message, as far as it is known. */
  readonly text: string;
  /** Values of the script's variables that are known already; null: known only when the step starts. */
  readonly variables: Readonly<Record<string, Json>>;
  readonly timeoutMs?: number;
  readonly retries: number;
  /** The workflow that it runs. */
  readonly nested?: NestedPlan;
}

export interface NestedPlan {
  readonly workflow: string;
  readonly shape: "sequence" | "graph";
  /** What it is given, defaults included; null: known only when the step starts. */
  readonly inputs: Readonly<Record<string, Json>>;
  /** Null: it is one of those that this step is in, and goes on as these do. */
  readonly steps: readonly PlannedStep[] | null;
}
