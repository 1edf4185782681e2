import { agentReview, agentTask } from "./agent.ts";
import { approval } from "./approval.ts";
import { command } from "./command.ts";
import { nested } from "./nested.ts";
import type { StepReader } from "./reader.ts";

export const STEP_READERS: readonly StepReader[] = [command, agentTask, agentReview, approval, nested];
