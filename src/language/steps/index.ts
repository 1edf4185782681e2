import { agentReview, agentTask } from "./agent.ts";
import { approval } from "./approval.ts";
import { command } from "./command.ts";
import type { StepReader } from "./reader.ts";

export const STEP_READERS: readonly StepReader[] = [command, agentTask, agentReview, approval];

/** Types of the language that this version does not support, by the keys that imply them. */
export const UNSUPPORTED_TYPES: Readonly<Record<string, readonly string[]>> = {
  workflow: ["workflow", "with"],
};

/** Keys of the language, for any type of step, that this version does not support. */
export const UNSUPPORTED_KEYS: readonly string[] = [
  ...Object.values(UNSUPPORTED_TYPES).flat(),
  "foreach",
  "cache",
  "input_files",
  "pools",
];
