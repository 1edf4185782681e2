import type { AgentStep } from "../core/workflow.ts";
import type { Collected } from "./outputs.ts";
import type { AttemptContext, Prepared } from "./prepare.ts";

/** Renders the prompt and the call of the agent's client; raises `PreparationError`. */
export function prepareAgent(context: AttemptContext<AgentStep>): Prepared {
  throw new Error(`to do: ${context.step.id}`);
}

/** What an agent's attempt left, once its client has gone. */
export interface AgentEnd {
  /** Null: killed, nobody knows. */
  readonly exitCode: number | null;
  /** The engine stopped it. */
  readonly stopped: "TIMEOUT" | "CANCELED" | null;
}

export async function finishAgent(
  context: Omit<AttemptContext<AgentStep>, "base" | "cookie">,
  end: AgentEnd,
  sync: boolean,
): Promise<Collected> {
  throw new Error(`to do: ${context.step.id} ${end.exitCode} ${sync}`);
}
