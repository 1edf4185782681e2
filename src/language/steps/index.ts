import { command } from "./command.ts";
import type { StepReader } from "./reader.ts";

export const STEP_READERS: readonly StepReader[] = [command];

/** Types of the language that this version does not support, by the key that implies them. */
export const UNSUPPORTED_TYPES: Readonly<Record<string, readonly string[]>> = {
  agent_task: ["agent", "prompt", "prompt_file"],
  agent_review: [],
  approval: ["message"],
  workflow: ["workflow", "with"],
};

/** Keys of the language, for any type of step, that this version does not support. */
export const UNSUPPORTED_KEYS: readonly string[] = [
  ...Object.values(UNSUPPORTED_TYPES).flat(),
  "on_approve",
  "on_reject",
  "foreach",
  "cache",
  "input_files",
  "pools",
  "idle_timeout",
];
