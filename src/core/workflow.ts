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
  /** How many places each named pool has; steps of this run share them. */
  readonly pools: Readonly<Record<string, number>>;
  /** The steps in file order, then those of `finally`. */
  readonly steps: readonly Step[];
  /** How many of `steps` come before `finally`. */
  readonly mainSteps: number;
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
  /** Never on disk; supplied at each start and resume. */
  readonly secret: boolean;
}

export interface Limits {
  /** Attempts started in a run, retries included. */
  readonly maxTotalIterations: number;
  readonly runTimeoutMs?: number;
  /** Absent: the number of CPUs. */
  readonly maxParallel?: number;
  readonly budget: Budget;
}

/** What agents may use; absent: no limit. */
export interface Budget {
  readonly maxTokens?: number;
  readonly maxCostUsd?: number;
}

export type Step = CommandStep | AgentStep | ApprovalStep | NestedStep;

export interface StepCommon {
  readonly id: string;
  /** Position in the file, from 0. */
  readonly index: number;
  readonly description?: string;
  /** Indexes of the steps this one needs; empty in a sequence. */
  readonly needs: readonly number[];
  /** With `foreach`, of each item. */
  readonly when?: Expression;
  /** The list whose items the step is done for, once each; rendered, and frozen, when the step starts. */
  readonly foreach?: ValueTemplate;
  /** Places that an attempt takes in the workflow's pools. */
  readonly pools: Readonly<Record<string, number>>;
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
  /** Present if the step ends in a decision. */
  readonly gate?: Gate;
  /** No output for so long ends the attempt; absent: no such limit. */
  readonly idleTimeoutMs?: number;
}

/** A step with a decision. In a graph the targets are `done` and `fail` only. */
export interface Gate {
  /** Absent: goes on as any step. */
  readonly onApprove?: Target;
  /** Absent: a rejection fails the run. */
  readonly onReject?: Target;
}

export interface CommandStep extends StepCommon {
  readonly type: "command";
  /** Program and arguments that are given the script's path, such as `["sh", "-e"]`. */
  readonly shell: readonly string[];
  readonly script: Script;
  /** Files of the project that the step reads. */
  readonly inputFiles?: InputFiles;
  /** A finished attempt may be taken over by a later run in which nothing that it depends on has changed. */
  readonly cache: boolean;
}

/** Paths relative to the project folder, with `/`. */
export interface InputFiles {
  /** Globs; one that begins with `!` takes files away. One without a wildcard names a file that must be there. */
  readonly globs: readonly string[];
  /** Files that must not be there. */
  readonly absent: readonly string[];
}

/** Runs another workflow as a run of its own, in `run/` of the attempt's folder. */
export interface NestedStep extends StepCommon {
  readonly type: "workflow";
  readonly definition: NestedDefinition;
  /** Values of the other workflow's inputs, by name. */
  readonly with: Readonly<Record<string, ValueTemplate>>;
}

/** Where the definition of a nested run is, and what it says. */
export interface NestedDefinition {
  /** As the step names it: a file, an id, or `inline`. */
  readonly shown: string;
  /** The workflow file, relative to the one that names it; absent: the same file. */
  readonly file?: string;
  readonly id: string;
  /**
   * Written in a step itself: the ids of the steps that hold it, from the top of the file, joined by `/`; in a workbook
   * after the id of its workflow.
   */
  readonly step?: string;
  /** Read when it is first asked for: a workflow can run itself. */
  readonly workflow: Workflow;
}

/** A call of an agent's CLI with a rendered prompt. An `agent_review` is a gate. */
export interface AgentStep extends StepCommon {
  readonly type: "agent_task" | "agent_review";
  readonly agent: Agent;
  readonly prompt: Template;
  /** The file the prompt came from, relative to the workflow file; the run has a copy under `prompts/`. */
  readonly promptFile?: string;
  readonly budget: Budget;
}

export interface Agent {
  /** The name in `agents`. */
  readonly name: string;
  readonly provider: Provider;
  /** As the client takes it; absent: the client's default. */
  readonly model?: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, Template>>;
  readonly permissions: "read" | "write" | "full";
}

export type Provider =
  | { readonly kind: "claude" | "codex" | "gemini" }
  | {
      readonly kind: "custom";
      readonly name: string;
      /** Program and arguments; it is given the prompt on its standard input. */
      readonly command: readonly string[];
      readonly output: "text" | "json" | "jsonl";
      /** Paths into the (last) JSON object, such as `result` or `usage.total_tokens`. */
      readonly fields: Readonly<
        Partial<Record<"text" | "error" | "tokens" | "cost_usd" | "session", string>>
      >;
    };

/** A person's decision. */
export interface ApprovalStep extends StepCommon {
  readonly type: "approval";
  readonly message: Template;
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

/** A JSON value in which strings may be templates. A part without any is a literal as a whole. */
export type ValueTemplate =
  | { readonly literal: Json }
  | { readonly template: Template }
  | { readonly list: readonly ValueTemplate[] }
  | { readonly map: Readonly<Record<string, ValueTemplate>> };

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
