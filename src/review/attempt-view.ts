import type { AttemptCause, AttemptRecord, JournalLine } from "../core/event.ts";
import type { AttemptName, PlaceName } from "../core/ids.ts";
import type { ReusedFrom } from "../core/input-parts.ts";

/** One attempt, as the journal tells of it. */
export interface AttemptView extends AttemptName {
  readonly cause: AttemptCause;
  /** What led to it, in a sentence; null for a first attempt. */
  readonly because: string | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly pid: number | null;
  readonly adopted: boolean;
  /** The run that it ran in, if this one was forked from that; else null. */
  readonly sharedWith: string | null;
  /** It was taken over from this attempt, and no command ran. */
  readonly reusedFrom: ReusedFrom | null;
  /** Why the fixture of the run did not answer it; null if it did, or there is none. */
  readonly notAnswered: string | null;
  /** Null until it has ended. */
  readonly record: AttemptRecord | null;
  readonly logs: { readonly stdoutBytes: number; readonly stderrBytes: number } | null;
  /** What came next and why, in a sentence; null while that is open. */
  readonly next: string | null;
}

/** Null if the attempt never started. */
export function viewAttempt(lines: readonly JournalLine[], name: AttemptName): AttemptView | null {
  const isIt = (other: AttemptName) => isSamePlace(other, name) && other.attempt === name.attempt;
  const start = lines.findIndex((line) => line.event === "attempt_started" && isIt(line));
  const started = lines[start];
  if (started?.event !== "attempt_started") return null;
  const after = lines.slice(start + 1);
  const end = after.findIndex((line) => line.event === "attempt_ended" && isIt(line.record));
  const ended = after[end];
  const isOver = ended?.event === "attempt_ended";
  const { step, item, attempt } = name;
  return {
    step,
    ...(item !== undefined && { item }),
    attempt,
    cause: started.cause,
    because: whyStarted(lines.slice(0, start), name, started.cause),
    startedAt: isOver ? ended.volatile.startedAt : started.at,
    endedAt: isOver ? ended.volatile.endedAt : null,
    pid: started.volatile && "process" in started.volatile ? started.volatile.process.pid : null,
    adopted: after.some((line) => line.event === "attempt_adopted" && isIt(line)),
    sharedWith: sharedWith(lines, start),
    reusedFrom: isOver ? (ended.volatile.reusedFrom ?? null) : null,
    notAnswered:
      started.volatile && "notAnswered" in started.volatile ? (started.volatile.notAnswered ?? null) : null,
    record: isOver ? ended.record : null,
    logs: isOver
      ? { stdoutBytes: ended.volatile.stdoutBytes, stderrBytes: ended.volatile.stderrBytes }
      : null,
    next: isOver ? whatCameNext(after.slice(end + 1), ended.record) : null,
  };
}

function sharedWith(lines: readonly JournalLine[], start: number): string | null {
  const [created] = lines;
  const forked = lines.findLastIndex((line) => line.event === "engine_started" && line.how === "fork");
  if (created?.event !== "run_created" || start > forked) return null;
  return created.volatile.forkedFrom?.run ?? null;
}

function isSamePlace(a: PlaceName, b: PlaceName): boolean {
  return a.step === b.step && a.item === b.item;
}

function whyStarted(before: readonly JournalLine[], place: PlaceName, cause: AttemptCause): string | null {
  const { step } = place;
  const back = [...before].reverse();
  switch (cause) {
    case "first":
      return null;
    case "retry": {
      const retry = back.find((line) => line.event === "retry_scheduled" && isSamePlace(line, place));
      return retry?.event === "retry_scheduled" ? retry.because : null;
    }
    case "rework": {
      const jump = back.find((line) => line.event === "transition" && line.to === step);
      return jump?.event === "transition" ? `from ${jump.from}: ${jump.because.message}` : null;
    }
    case "interrupted":
      return "how the attempt before it ended is not known";
    case "resume":
      return "the run was resumed";
    case "redo": {
      const engine = back.find((line) => line.event === "engine_started" && line.from !== undefined);
      return engine?.event === "engine_started" ? `the run was resumed from ${engine.from}` : null;
    }
    case "stale":
      return "what was shown has changed since";
    default:
      return cause satisfies never;
  }
}

/** The first event after the end that follows from it. */
function whatCameNext(after: readonly JournalLine[], record: AttemptRecord): string | null {
  const { step } = record;
  for (const line of after) {
    if (line.event === "retry_scheduled" && isSamePlace(line, record)) return `tried again: ${line.because}`;
    if (line.event === "transition" && line.from === step)
      return `${goesTo(line.to)}: ${line.because.message}`;
    if (line.event === "attempt_started" && isSamePlace(line, record))
      return `attempt ${line.attempt} (${line.cause})`;
    // The other items of a foreach go their own way.
    if (line.event === "attempt_started" && line.step === step) continue;
    // In a graph what comes next is not the doing of one step.
    if (line.event === "attempt_started" && record.next === undefined && record.status === "succeeded") {
      return "what needs it could start";
    }
    if (line.event === "run_ended") return `the run ended as ${line.status}`;
    if (line.event === "run_waiting") return `the run waits: ${line.reason.message}`;
    if (line.event === "engine_started") break;
  }
  return record.next === undefined ? null : `${goesTo(record.next.to)}: ${record.next.because}`;
}

function goesTo(target: string): string {
  if (target === "done") return "the end of the run";
  return target === "fail" ? "the run fails" : `on to ${target}`;
}
