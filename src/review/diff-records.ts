import { placeName } from "../core/ids.ts";
import type { Change } from "./diff.ts";

export type Group =
  | "definition"
  | "inputs"
  | "path"
  | "decisions"
  | "scripts"
  | "outputs"
  | "logs"
  | "status"
  | "other";

/** One of two runs that are compared. */
export interface Side {
  readonly files: ReadonlyMap<string, string>;
  /** Its `run.json`. */
  readonly run: Loose;
}

/** Canonical records as they are read: of another version of wf too. */
// biome-ignore lint/suspicious/noExplicitAny: what is missing is shown as missing
type Loose = any;

/** What `run.json` and the journal of two runs have differently. */
export function compareRuns(a: Side, b: Side): Change[] {
  const [x, y] = [eventsOf(a), eventsOf(b)];
  const created = (events: readonly Loose[]) => events.find(({ event }) => event === "run_created") ?? {};
  return [
    ...one("definition", "workflow", workflowText(a.run.workflow), workflowText(b.run.workflow)),
    ...one("definition", "limits", valueText(created(x).limits), valueText(created(y).limits)),
    ...one("definition", "options", valueText(a.run.options), valueText(b.run.options)),
    ...eachMember("inputs", (key) => key, a.run.inputs, b.run.inputs, valueText),
    ...one("path", "events", linesOf(x, pathLine), linesOf(y, pathLine)),
    ...eachMember("decisions", (key) => key, decisionsOf(x), decisionsOf(y), String),
    ...one("decisions", "reasons", linesOf(x, reasonLine), linesOf(y, reasonLine)),
    ...eachMember("outputs", (key) => `of the run: ${key}`, a.run.outputs, b.run.outputs, valueText),
    ...compareOutputs(a, b),
    ...one("status", "run", statusText(a.run), statusText(b.run)),
    ...eachMember(
      "status",
      (key) => key,
      a.run.steps,
      b.run.steps,
      (step) => step?.status ?? null,
    ),
  ];
}

/** What the steps came to, whichever attempt it was that did: artifacts by what is in them. */
function compareOutputs(a: Side, b: Side): Change[] {
  const steps = Object.keys({ ...a.run.steps, ...b.run.steps });
  return steps.flatMap((step) => {
    const [x, y] = [a, b].map(({ run }) => run.steps?.[step]?.outputs ?? {});
    return Object.keys({ ...x, ...y }).flatMap((key): Change[] => {
      const [before, after] = [outputOf(a, x[key]), outputOf(b, y[key])];
      if (before.text === after.text) return [];
      const file = after.file ?? before.file;
      return [{ group: "outputs", what: `${step} ${key}`, file, before: before.text, after: after.text }];
    });
  });
}

function outputOf(side: Side, output: Loose): { readonly text: string | null; readonly file: string | null } {
  if (output === undefined) return { text: null, file: null };
  const file = typeof output?.file === "string" ? output.file : null;
  const text = file === null ? undefined : side.files.get(file);
  return { text: text ?? outputText(output), file };
}

/** How one attempt, of the same number in both, ended; what the steps came to in the end is told by the runs. */
export function compareAttempts(folder: string, a: Side, b: Side): Change[] {
  const [x, y] = [a, b].map(({ files }) => parse(files.get(`${folder}/attempt.json`)));
  if (!x || !y) return [];
  return one("status", attemptName(x), attemptText(x), attemptText(y));
}

/** Whether an attempt ended so differently that what it left is not to be compared. */
export function endedOtherwise(folder: string, a: Side, b: Side): boolean {
  const [x, y] = [a, b].map(({ files }) => parse(files.get(`${folder}/attempt.json`))?.status);
  return x !== y;
}

function one(group: Group, what: string, before: string | null, after: string | null): Change[] {
  return before === after ? [] : [{ group, what, file: null, before, after }];
}

function eachMember(
  group: Group,
  name: (key: string) => string,
  a: Readonly<Record<string, Loose>> = {},
  b: Readonly<Record<string, Loose>> = {},
  text: (value: Loose) => string | null,
): Change[] {
  const keys = new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]);
  const at = (side: Loose, key: string) => (side && Object.hasOwn(side, key) ? text(side[key]) : null);
  return [...keys].flatMap((key) => one(group, name(key), at(a, key), at(b, key)));
}

function eventsOf({ files }: Side): Loose[] {
  const text = files.get("progress.ndjson") ?? "";
  return text.split("\n").flatMap((line) => parse(line) ?? []);
}

function linesOf(events: readonly Loose[], line: (event: Loose) => string | null): string {
  return events
    .map(line)
    .filter((text) => text !== null)
    .map((text) => `${text.replaceAll("\n", " ⏎ ")}\n`)
    .join("");
}

/** What happened, without why. */
function pathLine(event: Loose): string | null {
  const at = attemptName(event);
  switch (event.event) {
    case "run_created":
    // What it is now is shown with the inputs and the outputs.
    case "input_changed":
    case "output_changed":
      return null;
    case "engine_started": {
      const from = event.from === undefined ? "" : ` from ${event.from}`;
      const limits = event.limits === undefined ? "" : `, limits ${JSON.stringify(event.limits)}`;
      return `engine: ${event.how}${from}, wf ${event.version}${limits}`;
    }
    case "request_taken":
      return `${event.file} is taken`;
    case "request_refused":
      return `${event.file} is refused`;
    case "attempt_started":
      return `${at} starts (${event.cause})`;
    case "attempt_adopted":
      return `${at} is adopted by this engine`;
    case "attempt_stopping":
      return `${at} is stopped: ${event.because}`;
    case "attempt_ended":
      return `${attemptName(event.record ?? {})} ${event.record?.status}`;
    case "decision":
      return `${at} is decided: ${event.decision}`;
    case "transition":
      return `${event.from} → ${event.to}`;
    case "step_skipped":
      return `${placeName(event)} is skipped`;
    case "retry_scheduled":
      return `${at} is to be tried again`;
    case "finally_started":
      return `finally, then ${event.status}`;
    case "run_waiting":
      return `waits: ${event.reason?.code}`;
    case "run_ended":
      return `ends: ${event.status}`;
    default: {
      const { event: name, ...rest } = event;
      return `${name} ${JSON.stringify(rest)}`;
    }
  }
}

/** Why, where what happened does not say that by itself. */
function reasonLine(event: Loose): string | null {
  switch (event.event) {
    case "request_taken":
      return event.request === "decide" ? null : `${event.file} is taken: ${event.because}`;
    case "request_refused":
      return `${event.file} is refused: ${event.because}`;
    case "transition":
      if (event.because?.code === "NEXT_IN_FILE" || event.because?.code === "LAST_STEP") return null;
      return `${event.from} → ${event.to}: ${event.because?.message} [${event.because?.code}]`;
    case "step_skipped":
      return `${placeName(event)} is skipped: ${event.because}`;
    case "retry_scheduled":
      return `${attemptName(event)} is to be tried again: ${event.because}`;
    case "run_waiting":
      return `waits: ${event.reason?.message} [${event.reason?.code}]`;
    default:
      return null;
  }
}

function attemptName(event: Loose): string {
  return `${placeName(event)}/${event.attempt}`;
}

function decisionsOf(events: readonly Loose[]): Record<string, string> {
  return Object.fromEntries(
    events
      .filter(({ event }) => event === "decision")
      .map(({ step, attempt, decision, comment, digest }) => [
        `${step}/${attempt}`,
        `${decision}${comment ? `: ${comment}` : ""}\nof what was shown, ${digest}\n`,
      ]),
  );
}

function workflowText(workflow: Loose): string {
  return `${workflow?.id}, ${workflow?.source}`;
}

function statusText({ status, reason }: Loose): string {
  if (!reason) return String(status);
  return `${status}: ${reason.message} [${reason.code}]${reason.hint ? `\nhint: ${reason.hint}` : ""}`;
}

function attemptText({ status, exitCode, signal, error, decision, cause }: Loose): string {
  const lines = [`${status} (${cause})`];
  if (exitCode !== undefined && error?.code !== "EXIT_STATUS") lines.push(`exit status ${exitCode}`);
  if (signal !== undefined) lines.push(`${signal}, sent by wf`);
  if (decision !== undefined) lines.push(`decision: ${decision}`);
  if (error) lines.push(`${error.message} [${error.code}]`);
  for (const [key, text] of Object.entries(error?.details ?? {})) lines.push(`  ${key}: ${text}`);
  if (error?.hint) lines.push(`hint: ${error.hint}`);
  return lines.join("\n");
}

function outputText(output: Loose): string {
  if (output && Object.hasOwn(output, "value")) return valueText(output.value) ?? "";
  // Of a foreach; what is in its artifacts is compared where they lie.
  if (Array.isArray(output?.list)) {
    return valueText(output.list.map((each: Loose) => each?.file ?? each?.value ?? null)) ?? "";
  }
  return `${output?.file}, ${output?.bytes} bytes, sha256 ${output?.sha256}`;
}

/** A text as it is, if it has several lines; anything else as JSON. */
function valueText(value: Loose): string | null {
  if (value === undefined) return null;
  if (typeof value === "string" && value.includes("\n")) return value;
  return JSON.stringify(value, null, 2);
}

function parse(text: string | undefined): Loose {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
