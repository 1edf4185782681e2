import type { AnsweredFrom } from "../../core/answers.ts";
import type { AttemptRecord, ForkedFrom, JournalLine, StopReason, TransitionCode } from "../../core/event.ts";
import { type AttemptName, placeName } from "../../core/ids.ts";
import type { AttemptPlace } from "../../core/input-parts.ts";
import { PAST } from "./gate.ts";
import { shortValue } from "./inputs.ts";
import { colors, paintStatus } from "./style.ts";
import { between, localTime, oneLine, timeOfDay } from "./text.ts";

/** Around an event. */
export interface Around {
  /** The steps that its nested run is in. */
  readonly within?: string;
  /** The outermost run; absent: the event's own. */
  readonly run?: string;
  /** The message of the gate that it opens. */
  readonly asks?: string;
}

/**
 * One line per event: time, run, step/attempt, what happened. Null for events that only repeat what another line
 * says: where a sequence goes next is told by the start of that step.
 */
export function eventLine(line: JournalLine, around: Around = {}): string | null {
  const told = tell(line, around);
  if (told === null) return null;
  const c = colors();
  const where = told.where === undefined ? "" : `${c.bold(told.where)} `;
  return `${c.dim(timeOfDay(line.at))} ${c.dim(shortRun(around.run ?? line.run))} ${where}${told.text}`;
}

/** The four letters of an id that was made, or the whole of one that was chosen; both find the run. */
export function shortRun(runId: string): string {
  return /^\d{8}-\d{6}-.+-([a-z0-9]{4})$/.exec(runId)?.[1] ?? runId;
}

/** What happened and to what, without time and run. */
export function tell(line: JournalLine, { within, asks }: Around = {}): Told | null {
  const told = tellOf(line, asks);
  if (within === undefined || told === null) return told;
  // How a nested run begins, waits and ends is told by the attempt that it is.
  if (told.where === undefined) {
    return ONLY_INSIDE.has(line.event) ? { where: within, text: told.text.replace(/^the run /, "") } : null;
  }
  return { ...told, where: `${within}/${told.where}` };
}

interface Told {
  readonly where?: string;
  readonly text: string;
}

function tellOf(line: JournalLine, asks: string | undefined): Told | null {
  switch (line.event) {
    case "run_created": {
      const { forkedFrom } = line.volatile;
      const ancestry = forkedFrom === undefined ? "" : `, forked from ${ancestryText(forkedFrom)}`;
      return { text: `run created from ${line.workflow.source}${ancestry}` };
    }
    case "engine_started":
      return { text: ENGINE[line.how] + (line.from === undefined ? "" : ` from ${line.from}`) };
    case "attempt_started": {
      // That it was taken over, its end says.
      if (line.volatile && ("reusedFrom" in line.volatile || "answeredFrom" in line.volatile)) return null;
      const text = asks === undefined ? "started" : `${paintStatus("waiting", "waits")} for a decision`;
      const message = asks === undefined ? "" : `: ${oneLine(asks.trimEnd())}`;
      const why = line.volatile && "notAnswered" in line.volatile ? line.volatile.notAnswered : undefined;
      const itself = why === undefined ? "" : `, not answered: ${oneLine(why)}`;
      return { where: attemptName(line), text: `${text}${CAUSE[line.cause]}${message}${itself}` };
    }
    case "foreach_started": {
      const count = line.items.length;
      return { where: line.step, text: `${count === 1 ? "1 item" : `${count} items`}${CAUSE[line.cause]}` };
    }
    case "attempt_waiting":
      return { where: attemptName(line), text: `${paintStatus("waiting")}: ${oneLine(line.reason.message)}` };
    case "attempt_resumed":
      return { where: attemptName(line), text: "goes on" };
    case "attempt_adopted":
      return { where: attemptName(line), text: "went on without its engine, adopted" };
    case "attempt_stopping":
      return { where: attemptName(line), text: `is being stopped: ${STOP[line.because]}` };
    case "attempt_ended":
      return {
        where: attemptName(line.record),
        text: line.volatile.reusedFrom
          ? `${paintStatus("succeeded", "reused")} from ${placeText(line.volatile.reusedFrom)}`
          : outcome(line.record, between(line.volatile.startedAt, line.volatile.endedAt)),
      };
    case "decision": {
      const comment = line.comment === "" ? "" : `: ${oneLine(line.comment)}`;
      return {
        where: attemptName(line),
        text: `${oneLine(line.volatile.by)} ${line.decision === "approve" ? "approves" : "rejects"}${comment}`,
      };
    }
    case "finally_started": {
      const why = line.reason === undefined ? "" : `: ${oneLine(line.reason.message)}`;
      return { text: `the run comes to its end as ${paintStatus(line.status)}${why}; its finally steps run` };
    }
    case "step_skipped":
      return { where: placeName(line), text: `${paintStatus("skipped")}: ${oneLine(line.because)}` };
    case "transition":
      if (!JUMPS.has(line.because.code)) return null;
      return { where: line.from, text: `goes to ${line.to}: ${oneLine(line.because.message)}` };
    case "retry_scheduled": {
      const wait = between(line.at, line.volatile.notBefore);
      return { where: attemptName(line), text: `${oneLine(line.because)}; again in ${wait}` };
    }
    case "run_waiting":
      return {
        text: `${paintStatus("waiting")}: ${oneLine(line.reason.message)}${until(line.volatile?.until)}`,
      };
    case "request_taken":
      // What was decided, and by whom, the next line says.
      if (line.request === "decide") return null;
      return { text: `${line.request} taken: ${oneLine(line.because)}` };
    case "request_refused":
      return { text: `${line.file} refused: ${oneLine(line.because)}` };
    case "definition_changed":
      return { text: `${oneLine(line.what)} changed` };
    case "input_changed":
      return {
        text: `input ${oneLine(line.what)} changed from ${shortValue(line.old)} to ${shortValue(line.new)}`,
      };
    case "output_changed": {
      const to = "value" in line.new ? ` by ${shortValue(line.new.value)}` : "";
      return {
        where: `${line.step}/${line.attempt}`,
        text: `output ${oneLine(line.output)} was replaced${to}`,
      };
    }
    case "limit_clamped":
      return {
        where: line.step,
        text: `${line.limit} cut from ${JSON.stringify(line.from)} to ${JSON.stringify(line.to)}`,
      };
    case "security":
      return { where: attemptName(line), text: `refused: ${oneLine(line.what)}` };
    case "run_ended":
      return { text: `run ${paintStatus(line.status)}` };
    default:
      return line satisfies never;
  }
}

function attemptName(name: AttemptName): string {
  return `${placeName(name)}/${name.attempt}`;
}

/** Where an attempt is, as a path that leads to it from the runs folder. */
export function placeText({ run, path }: AttemptPlace): string {
  return `${run}/${path}`;
}

/** `succeeded in 2.1 s`, `failed in 40 ms: exit status 2`. */
export function outcome(record: AttemptRecord, took: string | undefined): string {
  const { answeredFrom } = record;
  const hasTime = took !== undefined && record.status !== "not_run" && !answeredFrom;
  const time = hasTime ? ` in ${took}` : "";
  const from = answeredFrom ? `, answered from ${answerText(answeredFrom)}` : "";
  const error = record.error === undefined ? "" : `: ${oneLine(record.error.message)}`;
  const word = record.decision === undefined ? STATUS[record.status] : PAST[record.decision];
  return `${paintStatus(record.status, word)}${time}${from}${error}`;
}

/** Where in the project an attempt's answer stands. */
export function answerText({ fixture, attempt }: AnsweredFrom): string {
  return oneLine(`${fixture.replace(/^project:/, "")}/${attempt}`);
}

/** `r before publish, which came from q before build`. */
export function ancestryText({ run, step, attempt, earlier = [] }: ForkedFrom): string {
  const at = attempt === undefined ? step : `attempt ${attempt} of ${step}`;
  return [`${run} before ${at}`, ...earlier.map((each) => `${each.run} before ${each.step}`)].join(
    ", which came from ",
  );
}

function until(time: string | undefined): string {
  return time === undefined ? "" : `, until ${localTime(time)}`;
}

const ONLY_INSIDE: ReadonlySet<JournalLine["event"]> = new Set(["request_refused", "finally_started"]);

const JUMPS: ReadonlySet<TransitionCode> = new Set(["NEXT_KEY", "APPROVED", "REJECTED"]);

const STOP: Readonly<Record<StopReason, string>> = {
  TIMEOUT: "its timeout is over",
  IDLE_TIMEOUT: "it has printed nothing for too long",
  CANCELED: "the run is canceled",
  RUN_TIMEOUT: "the run's timeout is over",
  SIGNAL: "a signal came",
  RUN_ENDED: "the run ends",
};

const ENGINE = {
  start: "run started",
  resume: "run resumed",
  next: "one attempt asked for",
  fork: "fork started",
} as const;

const STATUS: Readonly<Record<AttemptRecord["status"], string>> = {
  succeeded: "succeeded",
  failed: "failed",
  timed_out: "timed out",
  interrupted: "was interrupted",
  canceled: "canceled",
  not_run: "never ran",
};

const CAUSE: Readonly<Record<AttemptRecord["cause"], string>> = {
  first: "",
  retry: ", a retry",
  rework: ", entered again",
  interrupted: ", after an interruption",
  resume: ", by resume",
  redo: ", to be done again",
  stale: ", since what was shown has changed",
};
