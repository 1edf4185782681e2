import type { AnsweredFrom } from "../core/answers.ts";
import { parseDecision } from "../core/decision.ts";
import type { Decision, Failure } from "../core/event.ts";
import type { ReusedFrom } from "../core/input-parts.ts";
import { nodeAt } from "../core/state.ts";
import type { Step } from "../core/workflow.ts";
import { scrub } from "../secrets/scrub.ts";
import { finishAgent } from "../steps/agent.ts";
import { type Collected, collectOutputs, collectUndeclared, declaresOutputs } from "../steps/outputs.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import type { LiveAttempt } from "./attempts.ts";
import { checkInputsAfter } from "./inputs-after.ts";
import type { Ending } from "./judge.ts";
import type { Session } from "./session.ts";

/** What an attempt left, and the decision if its step is a gate. */
export interface Harvest extends Collected {
  readonly decision?: Decision;
  /** No command ran: this attempt was taken over. */
  readonly reusedFrom?: ReusedFrom;
  /** Nothing ran: a fixture says what came of it. */
  readonly answeredFrom?: AnsweredFrom;
}

export const NOTHING: Harvest = { outputs: {}, security: [] };

/**
 * What an attempt left; a promise only where files have to be read or schemas to be checked. In a run with secrets they
 * are taken out of it first, however it ended.
 */
export function collect(session: Session, live: LiveAttempt, ending: Ending): Harvest | Promise<Harvest> {
  const isPlain = session.places.secrets.none || ending.status === "not_run";
  const left = isPlain ? harvest(session, live, ending) : scrubbed(session, live, ending);
  if (ending.status !== "succeeded") return left;
  if (left instanceof Promise) return left.then((found) => afterInputs(session, live, found));
  return afterInputs(session, live, left);
}

function afterInputs(session: Session, live: LiveAttempt, harvest: Harvest): Harvest | Promise<Harvest> {
  const checked = checkInputsAfter(session, live);
  return checked instanceof Promise ? checked.then(() => harvest) : harvest;
}

async function scrubbed(session: Session, live: LiveAttempt, ending: Ending): Promise<Harvest> {
  const { runDir, secrets } = session.places;
  const dir = attemptDir(runDir, live);
  const { removed, locked, renamed } = await scrub(dir, secrets, { sync: session.sync, leave: NOT_SCRUBBED });
  const left = await harvest(session, live, ending);
  const security = [
    ...renamed.map((path) => `a secret stood in a file's name: it is ${path} now`),
    ...removed.map((path) => `a secret stood in ${path}, which is no text: it was removed`),
    ...locked.map((path) => `${path} can not be looked at: it may hold a secret`),
    ...left.security,
  ];
  const refused = [...removed, ...locked];
  if (refused.length === 0 || ending.status !== "succeeded") return { ...left, security };
  return { ...left, outputs: {}, security, failure: secretInOutput(refused) };
}

/** Masked as they were written; the wrapper's own; the step's workspace, which is not ours to change. */
const NOT_SCRUBBED: ReadonlySet<string> = new Set([
  ATTEMPT_FILES.stdout,
  ATTEMPT_FILES.stderr,
  ATTEMPT_FILES.exit,
  ATTEMPT_FILES.work,
]);

function secretInOutput(files: readonly string[]): Failure {
  return {
    code: "SECRET_IN_OUTPUT",
    message: `a secret that can not be masked, since it is no text, or may not be looked at: ${files.join(", ")}`,
    hint: "keep secrets out of archives and binaries, or write them outside of the run",
  };
}

function harvest(session: Session, live: LiveAttempt, ending: Ending): Harvest | Promise<Harvest> {
  const { step } = nodeAt(session.state, live.index);
  const { runDir } = session.places;
  if (step.type === "agent_task" || step.type === "agent_review") {
    return collectAgent(session, live, ending).then((harvest) => withDecision(step, harvest));
  }
  if (ending.status !== "succeeded") return NOTHING;
  if (!declaresOutputs(step)) return withDecision(step, collectUndeclared(runDir, live));
  const { runId } = session.state;
  const place = { runDir, runId, step, at: live, sync: session.sync };
  return collectOutputs(place).then((found) => withDecision(step, found));
}

async function collectAgent(session: Session, live: LiveAttempt, ending: Ending): Promise<Collected> {
  const { state, places } = session;
  const node = nodeAt(state, live.index);
  const { step } = node;
  if (step.type !== "agent_task" && step.type !== "agent_review")
    throw new Error(`${step.id} is no agent's step`);
  if (ending.status === "not_run" || ending.status === "interrupted") return NOTHING;
  const dir = attemptDir(places.runDir, live);
  const context = { state, places, node, step, attempt: live.attempt, dir };
  const stopped =
    ending.status === "timed_out" ? "TIMEOUT" : ending.status === "canceled" ? "CANCELED" : null;
  const collected = await finishAgent(context, { exitCode: ending.exitCode ?? null, stopped }, session.sync);
  // What the engine did to it says more than what the client made of that.
  if (stopped === null) return collected;
  const { failure: _, ...rest } = collected;
  return rest;
}

/** A gate ends in a decision, or has failed. */
export function withDecision(step: Step, collected: Collected): Harvest {
  if (!step.gate || collected.failure) return collected;
  const output = collected.outputs.decision;
  if (output === undefined && Object.keys(collected.outputs).length === 0 && step.type !== "command")
    return collected;
  const decision = parseDecision(output && "value" in output ? output.value : undefined);
  if (decision !== null) return { ...collected, decision };
  return { ...collected, failure: badDecision(output && "value" in output ? output.value : undefined) };
}

function badDecision(value: unknown): Failure {
  const found = value === undefined ? "there is none" : `it is ${JSON.stringify(value)}`;
  return {
    code: "BAD_DECISION",
    message: `the step is a gate, and its output decision must be approve or reject: ${found}`,
    hint: 'a command writes it with: echo "decision=approve" >> "$WF_OUTPUT"',
  };
}
