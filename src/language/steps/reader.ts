import type { OutputDeclaration, Step, StepCommon, Template } from "../../core/workflow.ts";
import type { Agents } from "../agents.ts";
import type { NestedWorkflow } from "../definitions.ts";
import type { Names } from "../names.ts";
import type { MapNode, Node } from "../node.ts";
import type { PromptFiles } from "../prompt-file.ts";
import type { Reader, RefusedKeys } from "../read.ts";
import type { StepPlace } from "../views.ts";

/** What a step's own keys are read with. */
export interface StepContext {
  readonly map: MapNode;
  readonly common: StepCommon;
  readonly place: StepPlace;
  /** The workflow's shell, or the default. */
  readonly shell: readonly string[];
  readonly workflowEnv: Readonly<Record<string, Template>>;
  readonly agents: Agents;
  readonly prompts: PromptFiles;
  /** The workflow that a value of `workflow` names or is; null if there is none: it has been reported. */
  readonly findNested: (node: Node) => NestedWorkflow | null;
  readonly reader: Reader;
  readonly names: Names;
}

export const ONLY_COMMANDS: RefusedKeys = {
  keys: ["input_files", "cache"],
  why: "what a later run may take over are the results of commands alone",
};

/** Reads the steps of one type. A further type is a further file with one of these, listed in `index.ts`. */
export interface StepReader {
  readonly type: Step["type"];
  /** A step that has one of these keys and no `type` is of this type. */
  readonly impliedBy: readonly string[];
  /** Keys that not all types of steps have. */
  readonly keys: readonly string[];
  /** Keys of other types that this one can not have, and why. */
  readonly refused?: readonly RefusedKeys[];
  /** Every step of this type ends in a decision. */
  readonly isGate: boolean;
  /** Waits for a person instead of a process: nothing about it is timed or tried again. */
  readonly isPerson?: true;
  /** Further attempts where neither step nor workflow say how many. */
  readonly retries: number;
  /** Declared for it as a gate, if it does not do so itself. */
  readonly gateOutputs: readonly OutputDeclaration[];
  /** Outputs that it may produce and does not declare; null if too little could be read to know. */
  undeclared(context: StepContext): readonly string[] | "any" | null;
  /** Null if something was wrong; it has been reported. */
  read(context: StepContext): Step | null;
}
