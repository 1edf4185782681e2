import type { Step, StepCommon } from "../../core/workflow.ts";
import type { Names } from "../names.ts";
import type { MapNode } from "../node.ts";
import type { Reader } from "../read.ts";

/** What a step's own keys are read with. */
export interface StepContext {
  readonly map: MapNode;
  readonly common: StepCommon;
  /** The workflow's shell, or the default. */
  readonly shell: readonly string[];
  readonly reader: Reader;
  readonly names: Names;
}

/** Reads the steps of one type. A further type is a further file with one of these, listed in `index.ts`. */
export interface StepReader {
  readonly type: string;
  /** A step that has this key and no `type` is of this type. */
  readonly impliedBy: string;
  /** Keys that only steps of this type have. */
  readonly keys: readonly string[];
  /** Null if something was wrong; it has been reported. */
  read(context: StepContext): Step | null;
}
