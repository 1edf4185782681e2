import type { AnsweredFrom, AnswerSource } from "./answers.ts";
import type { ReusedFrom, ReuseSource } from "./input-parts.ts";
import type { Json, JsonObject } from "./json.ts";

/** Why an attempt was made. */
export type AttemptCause = "first" | "retry" | "rework" | "interrupted" | "resume" | "redo" | "stale";

export type AttemptStatus = "succeeded" | "failed" | "timed_out" | "interrupted" | "canceled" | "not_run";

/** Why the engine stops an attempt. */
export type StopReason = "TIMEOUT" | "IDLE_TIMEOUT" | "CANCELED" | "RUN_TIMEOUT" | "SIGNAL" | "RUN_ENDED";

export type Decision = "approve" | "reject";

export type RunStatus = "queued" | "running" | "waiting" | "succeeded" | "failed" | "canceled";

/** An output as records hold it: a JSON value, or an artifact by its path relative to the run. */
export type OutputValue = { readonly value: Json } | FileOutput | ListOutput;

/** Of a `foreach`: what each item gave, in their order, null where one was skipped or failed; at least one is a file. */
export interface ListOutput {
  readonly list: readonly (OutputValue | null)[];
}

export interface FileOutput {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What went wrong. No run id, absolute path, pid or time in the sentences: what prints them adds these. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** One sentence per output key. */
  readonly details?: Readonly<Record<string, string>>;
}

/** `attempt.json`, and what `attempt_ended` holds; keys in the order they are written. */
export interface AttemptRecord {
  readonly step: string;
  /** Of a `foreach`: which item, from 0. */
  readonly item?: number;
  readonly attempt: number;
  readonly cause: AttemptCause;
  readonly status: AttemptStatus;
  /** Absent if the command never ran or its status is unknown. */
  readonly exitCode?: number;
  /** Only if the engine sent it. */
  readonly signal?: string;
  readonly error?: Failure;
  readonly outputs: Readonly<Record<string, OutputValue>>;
  /** Gates only. */
  readonly decision?: Decision;
  /** Sequences only: where the run goes from here. */
  readonly next?: { readonly to: string; readonly because: string };
  /** Nothing ran: the fixture says that it ended so. */
  readonly answeredFrom?: AnsweredFrom;
}

/** The part of it that differs between the attempts of one engine; `engine_started` holds the rest. */
export type StartedProcess = Pick<ProcessIdentity, "pid" | "startTime" | "bootId" | "cookie" | "recorder">;

/** Why a run waits, failed or was canceled. */
export interface RunReason {
  readonly code: string;
  readonly message: string;
  readonly step?: string;
  readonly item?: number;
  readonly attempt?: number;
  readonly hint?: string;
}

/** What tells a process from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Linux: clock ticks since boot (field 22 of /proc/<pid>/stat); macOS: `ps -o lstart`. */
  readonly startTime: string;
  readonly bootId: string;
  /** `readlink /proc/self/ns/pid`; empty where there is none. */
  readonly pidNamespace: string;
  readonly host: string;
  readonly machineId: string;
  /** Value of `WF_ATTEMPT_ID` in the environment of the step's processes. */
  readonly cookie: string;
  /** Of the process that writes the step's exit status, if that is another one. */
  readonly recorder?: Recorder;
}

export interface Recorder {
  readonly pid: number;
  readonly startTime: string;
}

export interface EffectiveLimits {
  readonly max_total_iterations: number;
  /** Milliseconds. */
  readonly run_timeout_ms?: number;
  readonly max_parallel?: number;
  readonly max_tokens?: number;
  readonly max_cost_usd?: number;
  /** Raised limits of single steps. */
  readonly steps?: Readonly<Record<string, { readonly max_tokens?: number; readonly max_cost_usd?: number }>>;
}

/** What an agent used in one attempt, beyond what the session had used before; null: the client did not say. */
export interface Usage {
  readonly tokens: number | null;
  readonly costUsd: number | null;
}

export interface RunOptions {
  readonly durability: "power" | "process";
  readonly keep_going?: boolean;
}

/** The run that a run was made from, and where it parts from it. */
export interface ForkedFrom {
  readonly run: string;
  /** What came before this step is shared with that run. */
  readonly step: string;
  /** … before this attempt of it, if that was asked for. */
  readonly attempt?: number;
  /** The runs that that one was made from, the nearest first. */
  readonly earlier?: readonly { readonly run: string; readonly step: string }[];
}

/** Everything that can be said in `progress.ndjson`. Each variant's keys stand in the order they are written. */
export type RunEvent =
  | {
      readonly event: "run_created";
      readonly format: "wf.run/1";
      readonly workflow: {
        readonly id: string;
        readonly file: string;
        readonly sha256: string;
        readonly source: string;
        /** A definition that stands in a step of the file: as in `NestedDefinition`. */
        readonly step?: string;
      };
      /** A nested run: the attempt of the outer run that it is. */
      readonly parent?: { readonly step: string; readonly item?: number; readonly attempt: number };
      readonly inputs: JsonObject;
      readonly limits: EffectiveLimits;
      readonly options: RunOptions;
      readonly volatile: {
        readonly project: string;
        /** The way from the run to the project, if the run lies in it: both may be moved together. */
        readonly projectFromRun?: string;
        readonly git?: { readonly commit: string; readonly dirty: boolean };
        readonly forkedFrom?: ForkedFrom;
        /** Finished attempts of this run may be taken over. */
        readonly reuse?: ReuseSource;
        /** Attempts are answered from this fixture as far as it has them. */
        readonly answers?: AnswerSource;
      };
    }
  | {
      readonly event: "engine_started";
      readonly how: "start" | "resume" | "next" | "fork";
      readonly from?: string;
      readonly limits?: Partial<EffectiveLimits>;
      readonly version: string;
      readonly volatile: {
        readonly pid: number;
        readonly host: string;
        readonly machineId: string;
        readonly pidNamespace: string;
        readonly project: string;
        /** Where things lay, so that texts in which they are named can be compared elsewhere. */
        readonly runDir?: string;
        readonly home?: string;
        readonly tmp?: string;
        /** From now on those of this run, and not of the one that was named before. */
        readonly reuse?: ReuseSource;
        /** The same of a fixture. */
        readonly answers?: AnswerSource;
      };
    }
  | {
      readonly event: "attempt_started";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
      readonly cause: AttemptCause;
      /** Absent if the attempt failed before a process was needed (a bad `when`, a missing value). */
      readonly volatile?:
        | { readonly process: StartedProcess; readonly notAnswered?: string }
        | { readonly reusedFrom: ReusedFrom }
        | { readonly answeredFrom: AnsweredFrom }
        /** An approval that waits for a person although the run has a fixture; a sentence. */
        | { readonly notAnswered: string };
    }
  | {
      readonly event: "attempt_adopted";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
    }
  /** The step is done once for each of these. */
  | {
      readonly event: "foreach_started";
      readonly step: string;
      readonly cause: AttemptCause;
      readonly items: readonly Json[];
    }
  /** The nested run of the attempt waits: for a person, a time, or whoever paused or stopped it. */
  | {
      readonly event: "attempt_waiting";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
      readonly reason: RunReason;
      /** When it is worth to go on. */
      readonly volatile?: { readonly until: string };
    }
  /** The nested run of the attempt is gone on with. */
  | {
      readonly event: "attempt_resumed";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
    }
  /** Before the signal is sent: a later engine must not take its effect for the step's own end. */
  | {
      readonly event: "attempt_stopping";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
      readonly because: StopReason;
    }
  | {
      readonly event: "attempt_ended";
      readonly record: AttemptRecord;
      readonly volatile: {
        readonly startedAt: string;
        readonly endedAt: string;
        readonly stdoutBytes: number;
        readonly stderrBytes: number;
        /** Agents only. */
        readonly usage?: Usage;
        /** The client said when its limit ends: not before this is a further attempt of use. */
        readonly retryAt?: string;
        /** No command ran: this attempt was taken over. */
        readonly reusedFrom?: ReusedFrom;
      };
    }
  | {
      readonly event: "decision";
      readonly step: string;
      readonly attempt: number;
      readonly decision: Decision;
      readonly comment: string;
      /** Of what was shown. */
      readonly digest: string;
      readonly volatile: { readonly by: string };
    }
  | {
      readonly event: "finally_started";
      readonly status: "succeeded" | "failed" | "canceled";
      readonly reason?: RunReason;
    }
  | {
      readonly event: "transition";
      readonly from: string;
      /** A step, or `done` / `fail`. */
      readonly to: string;
      readonly because: { readonly code: TransitionCode; readonly message: string };
    }
  | {
      readonly event: "step_skipped";
      readonly step: string;
      readonly item?: number;
      readonly because: string;
    }
  | {
      readonly event: "retry_scheduled";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
      readonly because: string;
      readonly volatile: { readonly notBefore: string };
    }
  | {
      readonly event: "run_waiting";
      readonly reason: RunReason;
      /** RATE_LIMIT: when it is worth to go on. */
      readonly volatile?: { readonly until: string };
    }
  | {
      readonly event: "request_taken";
      readonly file: string;
      readonly request: "cancel" | "decide";
      readonly because: string;
    }
  | { readonly event: "request_refused"; readonly file: string; readonly because: string }
  /** The run goes on with another definition; `old` and `new` are digests. */
  | {
      readonly event: "definition_changed";
      readonly what: "workflow";
      readonly old: Json;
      readonly new: Json;
      /** The copy in the run. */
      readonly file: string;
      /** Where it came from. */
      readonly source: string;
      readonly limits: EffectiveLimits;
      /** Steps whose results no longer count. */
      readonly redo: readonly string[];
    }
  | {
      readonly event: "input_changed";
      readonly what: string;
      readonly old: Json;
      readonly new: Json;
      /** Steps whose results no longer count. */
      readonly redo?: readonly string[];
    }
  /** A fork: an output of a step that it shares was replaced; the record of the attempt says what it is now. */
  | {
      readonly event: "output_changed";
      readonly step: string;
      readonly attempt: number;
      readonly output: string;
      readonly old: { readonly value: Json } | { readonly file: string };
      readonly new: OutputValue;
      /** Of the file that was replaced, which nothing holds any more. */
      readonly volatile?: { readonly bytes: number; readonly sha256: string };
    }
  | {
      readonly event: "limit_clamped";
      readonly step: string;
      readonly limit: string;
      readonly from: Json;
      readonly to: Json;
    }
  | {
      readonly event: "security";
      readonly step: string;
      readonly item?: number;
      readonly attempt: number;
      readonly what: string;
    }
  | {
      readonly event: "run_ended";
      readonly status: "succeeded" | "failed" | "canceled";
      readonly reason?: RunReason;
      readonly outputs: Readonly<Record<string, Json>>;
    };

export type TransitionCode =
  | "NEXT_IN_FILE"
  | "NEXT_KEY"
  | "LAST_STEP"
  | "SKIPPED"
  | "ALLOWED_FAILURE"
  | "APPROVED"
  | "REJECTED";

/** A line of the journal: the volatile head, then the event. */
export type JournalLine = {
  /** From 1, no gap. */
  readonly seq: number;
  /** ISO 8601 in UTC, milliseconds. */
  readonly at: string;
  /** The engine that wrote it. */
  readonly epoch: number;
  /** The run's id. */
  readonly run: string;
} & RunEvent;
