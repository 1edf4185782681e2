import type { AttemptCause } from "../core/event.ts";
import type { InputParts } from "../core/input-parts.ts";
import { MAX_REUSED_PER_TURN } from "../core/limits.ts";
import { filesOf } from "../core/output-value.ts";
import { nodeAt, placeOf, type StepNode, stepNode } from "../core/state.ts";
import type { Answer, Found } from "../review/answer-book.ts";
import { readGate } from "../steps/approval.ts";
import { declaresInputs } from "../steps/input-key.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { listRequests, writeDecideRequest } from "../store/requests.ts";
import { makeAttempt } from "./make-attempt.ts";
import { recordEnd } from "./record-end.ts";
import type { DeclaredInputs } from "./reuse.ts";
import type { Session } from "./session.ts";
import { syncArtifacts } from "./sync-artifacts.ts";

/** Ends attempts as the run's fixture says, where they are given what was given then. */
export class Answering {
  readonly #session: Session;
  readonly #poke: () => void;
  /** What was found for steps that are due; what they depend on does not change while they are. */
  readonly #found = new Map<number, { readonly attempt: number; readonly found: Found }>();
  #taken = 0;

  constructor(session: Session, poke: () => void) {
    this.#session = session;
    this.#poke = poke;
  }

  get isOfUse(): boolean {
    return this.#session.answers !== null;
  }

  nextTurn(): void {
    this.#taken = 0;
  }

  /** Whether the next attempt of a step is answered, so that it needs no place among those that run. */
  needsNoPlace(node: StepNode): boolean {
    const { step } = node;
    if (!this.isOfUse || step.type === "workflow" || step.type === "approval") return false;
    if ((step.foreach && !node.item) || (step.type === "command" && declaresInputs(step))) return false;
    const found = this.find(node);
    return found !== null && "record" in found;
  }

  /** Null if nothing answers the run. `inputFiles`: of a command that declares any. */
  find(node: StepNode, inputFiles: InputParts["files"] = {}): Found | null {
    const { answers, state, places } = this.#session;
    if (answers === null) return null;
    if (stepNode(node).afresh) return { because: "it was to be done again, by --from" };
    const attempt = node.attempts + 1;
    const known = this.#found.get(node.index);
    if (known?.attempt === attempt) return known.found;
    const found = answers.find({ state, places, node, attempt, nth: node.counted, inputFiles });
    this.#found.set(node.index, { attempt, found });
    return found;
  }

  /** Starts and ends the next attempt; false if that is to be done in the next turn. */
  take(node: StepNode, cause: AttemptCause, answer: Answer, inputs: DeclaredInputs | null): boolean {
    if (this.#taken >= MAX_REUSED_PER_TURN) {
      this.#poke();
      return false;
    }
    this.#taken += 1;
    const session = this.#session;
    const name = { ...placeOf(node), attempt: node.attempts + 1 };
    const dir = attemptDir(session.places.runDir, name);
    const files = new Map(answer.files);
    if (inputs) files.set(ATTEMPT_FILES.inputs, inputs.text);
    makeAttempt(dir, { files, folders: [] }, null);
    const { record, from, outputs, error } = answer;
    const { status, exitCode, signal, decision } = record;
    session.record({ event: "attempt_started", ...name, cause, volatile: { answeredFrom: from } });
    recordEnd(
      session,
      { index: node.index, attempt: name.attempt },
      {
        status,
        ...(exitCode !== undefined && { exitCode }),
        ...(signal !== undefined && { signal }),
        ...(error && { error }),
      },
      { outputs, security: [], answeredFrom: from, ...(decision && { decision }) },
    );
    this.#found.delete(node.index);
    const artifacts = Object.values(outputs).flatMap((output) => [...filesOf(output)]);
    syncArtifacts(session, artifacts, dir);
    return true;
  }

  /** Asks for the recorded decision of a gate that is open, as a person would. */
  decide({ step }: StepNode, attempt: number, { record, from, outputs }: Answer): void {
    const { runDir } = this.#session.places;
    const gate = readGate(attemptDir(runDir, { step: step.id, attempt }));
    const { feedback } = outputs;
    if (gate === null || record.decision === undefined) return;
    writeDecideRequest(runDir, {
      ...{ step: step.id, attempt, decision: record.decision },
      comment: feedback && "value" in feedback ? String(feedback.value) : "",
      ...{ nonce: gate.volatile.nonce, digest: gate.digest, by: from.fixture },
    });
  }

  /** Gates whose engine died before it could ask. */
  decideOpenGates(): void {
    const { state, places, answers } = this.#session;
    for (const index of answers === null ? [] : state.waiting) {
      const node = nodeAt(state, index);
      const { state: at } = node;
      if (at.status !== "waiting" || !at.answeredFrom) continue;
      const { attempt } = at;
      const isAsked = listRequests(places.runDir).some(
        ({ file, ...found }) =>
          !state.requests.has(file) &&
          "ok" in found &&
          found.ok.request === "decide" &&
          found.ok.step === node.step.id &&
          found.ok.attempt === attempt,
      );
      if (isAsked) continue;
      const asked = { state, places, node, attempt, nth: node.counted - 1, inputFiles: {} };
      const found = answers?.find(asked);
      if (found && "record" in found) this.decide(node, attempt, found);
    }
  }
}
