import type { JournalLine } from "./event.ts";
import { changeDefinition, changeInput } from "./fold-change.ts";
import { closeEpoch, countPerson, startEngine } from "./fold-engine.ts";
import { startForeach } from "./fold-fan.ts";
import {
  addUsage,
  endAttempt,
  moveTo,
  resumeNested,
  setState,
  startAttempt,
  unexpected,
  waitForNested,
} from "./fold-step.ts";
import { initialState, NO_OUTPUTS } from "./initial-state.ts";
import { setStatus } from "./run-status.ts";
import { type DefinitionIn, nodeOf, type RunState } from "./state.ts";
import type { Workflow } from "./workflow.ts";

/** @param definitionIn gives the definitions that the run went on with, if it may have changed */
export function foldAll(
  workflow: Workflow,
  lines: Iterable<JournalLine>,
  definitionIn?: DefinitionIn,
): RunState {
  const state = initialState(workflow, definitionIn);
  for (const line of lines) fold(state, line);
  return state;
}

/**
 * Changes `state` to what it is after `line`. Deterministic, and without any effect elsewhere: the same lines in the
 * same order give the same state. A line that can not follow what came before throws: it is a bug or damage.
 */
export function fold(state: RunState, line: JournalLine): void {
  const at = Date.parse(line.at);
  state.seq = line.seq;
  state.epoch = line.epoch;
  state.updatedAt = line.at;
  switch (line.event) {
    case "run_created":
      state.runId = line.run;
      state.createdAt = line.at;
      state.source = line.workflow;
      state.inputs = line.inputs;
      state.limits = line.limits;
      state.options = line.options;
      state.project = line.volatile.project;
      state.projectFromRun = line.volatile.projectFromRun ?? null;
      state.git = line.volatile.git ?? null;
      state.forkedFrom = line.volatile.forkedFrom ?? null;
      state.reuse = line.volatile.reuse ?? null;
      state.answers = line.volatile.answers ?? null;
      break;
    case "engine_started":
      startEngine(state, line, at);
      break;
    case "attempt_started":
      startAttempt(state, line, at);
      break;
    case "foreach_started":
      startForeach(state, line);
      break;
    case "attempt_waiting":
      waitForNested(state, line, at);
      break;
    case "attempt_resumed":
      resumeNested(state, line, at);
      break;
    case "attempt_ended": {
      if (line.record.decision) state.takenDecision = null;
      addUsage(state, line.record.step, line.volatile.usage);
      endAttempt(
        state,
        line.record,
        line.volatile.retryAt === undefined ? null : Date.parse(line.volatile.retryAt),
      );
      const node = nodeOf(state, line.record.step, line.record.item);
      node.reused = line.volatile.reusedFrom !== undefined;
      node.answered = line.record.answeredFrom !== undefined;
      break;
    }
    case "retry_scheduled": {
      const node = nodeOf(state, line.step, line.item);
      if (node.state.status !== "retrying") throw unexpected(line, node);
      setState(state, node, { ...node.state, notBefore: Date.parse(line.volatile.notBefore) });
      break;
    }
    case "step_skipped": {
      const node = nodeOf(state, line.step, line.item);
      node.outputs = NO_OUTPUTS;
      setState(state, node, { status: "skipped", because: line.because });
      break;
    }
    case "transition":
      moveTo(state, line.from, line.to, line.because.code);
      break;
    case "finally_started":
      state.ending = { status: line.status, ...(line.reason && { reason: line.reason }) };
      state.cancel = null;
      break;
    case "run_waiting":
      setStatus(state, "waiting");
      state.reason = line.reason;
      state.waitingUntil = line.volatile?.until ?? null;
      closeEpoch(state, at);
      break;
    case "request_taken":
      state.requests.add(line.file);
      if (line.request === "cancel") state.cancel = { because: line.because };
      else state.takenDecision = { file: line.file, decision: null };
      break;
    case "request_refused":
      state.requests.add(line.file);
      break;
    case "run_ended":
      setStatus(state, line.status);
      state.reason = line.reason ?? null;
      state.outputs = line.outputs;
      state.endedAt = line.at;
      state.cancel = null;
      state.ending = null;
      closeEpoch(state, at);
      break;
    case "attempt_stopping": {
      const node = nodeOf(state, line.step, line.item);
      if (node.state.status !== "running") throw unexpected(line, node);
      node.state = { ...node.state, stopping: { because: line.because, epoch: line.epoch } };
      break;
    }
    case "decision":
      if (state.takenDecision) state.takenDecision = { ...state.takenDecision, decision: line };
      break;
    case "definition_changed":
      changeDefinition(state, line);
      break;
    case "input_changed":
      changeInput(state, line);
      break;
    case "attempt_adopted":
    case "output_changed":
    case "limit_clamped":
    case "security":
      break;
    default:
      line satisfies never;
  }
  if (state.epochBegan === null) return;
  state.lastEventAt = at;
  countPerson(state, at);
}
