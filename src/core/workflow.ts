import type { Json, JsonObject } from "./json.ts";

/**
 * A checked workflow: every name resolves, every default is applied, every template and duration is parsed.
 * Made by `language/`, executed by `engine/`. Times are milliseconds.
 */
export interface Workflow {
  readonly id: string;
  readonly version?: string | number;
  readonly description?: string;
  readonly tags: readonly string[];
  /** A graph if its steps have `needs`, else a sequence. */
  readonly shape: "sequence" | "graph";
  readonly inputs: readonly InputDeclaration[];
  readonly env: Readonly<Record<string, Template>>;
  readonly limits: Limits;
  /** Graphs only; `stop` in a sequence. */
  readonly onFailure: "stop" | "continue";
  /** Sources of regular expressions, applied by the canonical form. */
  readonly redact: readonly string[];
  readonly steps: readonly Step[];
  readonly outputs: Readonly<Record<string, Template>>;
}

export interface InputDeclaration {
  readonly name: string;
  readonly description?: string;
  /** The JSON Schema of the value, without `default`, `optional` and `description`; absent: any value. */
  readonly schema?: JsonObject;
  /** Absent: no default. */
  readonly default?: Json;
  readonly optional: boolean;
}

export interface Limits {
  /** Attempts started in a run, retries included. */
  readonly maxTotalIterations: number;
  readonly runTimeoutMs?: number;
  /** Absent: the number of CPUs. */
  readonly maxParallel?: number;
}

/** The one kind of step this version runs; more join this union. */
export type Step = CommandStep;

export interface StepCommon {
  readonly id: string;
  /** Position in the file, from 0. */
  readonly index: number;
  readonly description?: string;
  /** Indexes of the steps this one needs; empty in a sequence. */
  readonly needs: readonly number[];
  readonly when?: Expression;
  readonly env: Readonly<Record<string, Template>>;
  readonly workspaceMode: "project" | "run_workspace" | "attempt";
  /** Relative to the workspace; never leaves it. */
  readonly cwd?: Template;
  /** After clamping; absent: no timeout. */
  readonly timeoutMs?: number;
  /** Present when the step's own timeout was cut to the workbook's maximum. */
  readonly timeoutClampedFromMs?: number;
  readonly retry: RetryPolicy;
  readonly outputs: readonly OutputDeclaration[];
  readonly onInterrupt: "rerun" | "fail";
  readonly allowFailure: boolean;
  /** Sequences only: where to go after success; absent: the following step. */
  readonly next?: Target;
}

export interface CommandStep extends StepCommon {
  readonly type: "command";
  /** Program and arguments that are given the script's path, such as `["sh", "-e"]`. */
  readonly shell: readonly string[];
  readonly script: Script;
}

/** Shell text in which each template has become a reference to a variable. */
export interface Script {
  readonly text: string;
  readonly variables: readonly ScriptVariable[];
}

export interface ScriptVariable {
  /** Such as `WF_V_INPUTS_VERSION`. */
  readonly name: string;
  readonly path: TemplatePath;
}

export interface RetryPolicy {
  /** Further attempts after the first. */
  readonly max: number;
  readonly delayMs: number;
  readonly backoff: number;
  readonly maxDelayMs: number;
}

export interface OutputDeclaration {
  readonly key: string;
  readonly required: boolean;
  /** JSON Schema of the value; absent for a declared file with no entry in `outputs`: any file that is not empty. */
  readonly schema?: JsonObject;
  /** True if `outputs` was a map, so that a file is parsed as JSON and validated against `schema`. */
  readonly parsed: boolean;
  /** Under the attempt's `outputs/`; absent: a value from `$WF_OUTPUT`. */
  readonly file?: Template;
}

/** `done` ends the run as succeeded, `fail` as failed, unless a step has that id. */
export type Target = { readonly to: "step"; readonly index: number } | { readonly to: "done" | "fail" };

/** Text with `{{ path }}` in it, parsed once. */
export interface Template {
  /** As written in the file. */
  readonly source: string;
  readonly parts: readonly (string | TemplatePath)[];
}

export interface TemplatePath {
  /** As written between the braces, trimmed. */
  readonly text: string;
  /** Such as `["steps", "build", "outputs", "bundle"]`. */
  readonly segments: readonly string[];
}

/** A CEL expression, checked when the file was. */
export interface Expression {
  readonly source: string;
}
