import type { JournalLine, RunEvent } from "../core/event.ts";
import { isJsonObject } from "../core/json.ts";

type Shape = "string" | "number" | "object" | "list" | "any";

const ATTEMPT = { step: "string", attempt: "number" } as const;

/** What each event can not do without: enough that no reader trips over a line. */
const EVENTS: Readonly<Record<RunEvent["event"], Readonly<Record<string, Shape>>>> = {
  run_created: {
    format: "string",
    workflow: "object",
    inputs: "object",
    limits: "object",
    options: "object",
    volatile: "object",
  },
  engine_started: { how: "string", version: "string", volatile: "object" },
  attempt_started: { ...ATTEMPT, cause: "string" },
  attempt_adopted: ATTEMPT,
  foreach_started: { step: "string", cause: "string", items: "list" },
  attempt_waiting: { ...ATTEMPT, reason: "object" },
  attempt_resumed: ATTEMPT,
  attempt_stopping: { ...ATTEMPT, because: "string" },
  attempt_ended: { record: "object", volatile: "object" },
  decision: { ...ATTEMPT, decision: "string", comment: "string", digest: "string", volatile: "object" },
  finally_started: { status: "string" },
  transition: { from: "string", to: "string", because: "object" },
  step_skipped: { step: "string", because: "string" },
  retry_scheduled: { ...ATTEMPT, because: "string", volatile: "object" },
  run_waiting: { reason: "object" },
  request_taken: { file: "string", request: "string", because: "string" },
  request_refused: { file: "string", because: "string" },
  definition_changed: {
    what: "string",
    old: "any",
    new: "any",
    file: "string",
    source: "string",
    limits: "object",
    redo: "list",
  },
  input_changed: { what: "string", old: "any", new: "any" },
  output_changed: { ...ATTEMPT, output: "string", old: "object", new: "object" },
  limit_clamped: { step: "string", limit: "string", from: "any", to: "any" },
  security: { ...ATTEMPT, what: "string" },
  run_ended: { status: "string", outputs: "object" },
};

const RECORD = { ...ATTEMPT, cause: "string", status: "string", outputs: "object" } as const;

export type ParsedLine =
  | { readonly kind: "line"; readonly line: JournalLine }
  /** Whole and in its place, but from a newer program; never to be cut as if it were torn. */
  | { readonly kind: "newer"; readonly needs: string }
  | { readonly kind: "bad"; readonly what: string };

const bad = (what: string): ParsedLine => ({ kind: "bad", what });

/** One line without what depends on the lines before it. `text` is undefined if the bytes are no UTF-8. */
export function parseLine(text: string | undefined): ParsedLine {
  if (text === undefined) return bad("it is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad(text === "" ? "it is empty" : "it is not JSON");
  }
  if (!isJsonObject(value)) return bad("it is not a JSON object");
  const { seq, at, epoch, run, event } = value;
  if (!isCount(seq)) return bad("it has no sequence number");
  if (!isCount(epoch)) return bad("it has no epoch");
  if (typeof at !== "string" || Number.isNaN(Date.parse(at))) return bad("it has no time");
  if (typeof run !== "string") return bad("it has no run id");
  if (typeof event !== "string") return bad("it names no event");
  if (event === "run_created" && typeof value.format === "string" && value.format !== "wf.run/1") {
    return { kind: "newer", needs: `a version of wf that reads the format ${value.format}` };
  }
  if (!Object.hasOwn(EVENTS, event)) {
    return /^[a-z][a-z_]*$/.test(event)
      ? { kind: "newer", needs: `a version of wf that knows the event ${event}` }
      : bad("its event has no valid name");
  }
  const wrong = wrongKey(value, EVENTS[event as RunEvent["event"]]);
  if (wrong !== undefined) return bad(`${event} needs ${wrong}`);
  if (event === "attempt_ended") {
    const wrongInRecord = wrongKey(value.record as Record<string, unknown>, RECORD);
    if (wrongInRecord !== undefined) return bad(`the record of ${event} needs ${wrongInRecord}`);
  }
  return { kind: "line", line: value as unknown as JournalLine };
}

function wrongKey(
  value: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, Shape>>,
): string | undefined {
  for (const key in keys) {
    const shape = keys[key] as Shape;
    const found = value[key];
    if (
      shape === "any"
        ? found === undefined
        : shape === "object"
          ? !isJsonObject(found)
          : shape === "list"
            ? !Array.isArray(found)
            : typeof found !== shape
    ) {
      return shape === "any" ? key : `${key} (${shape})`;
    }
  }
  return undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
