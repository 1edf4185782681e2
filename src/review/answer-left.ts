import type { AttemptRecord, Failure, FileOutput, OutputValue } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import { filesOf, mapFiles } from "../core/output-value.ts";
import { ATTEMPT_FILES, attemptPath, LOG_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import type { AnswerPlaces } from "./answer-places.ts";
import { jsonOf } from "./canon.ts";
import { sha256 } from "./canon-cut.ts";

/** What an attempt leaves that a fixture answers. */
export interface Left {
  /** By their path in the attempt's folder. */
  readonly files: ReadonlyMap<string, string>;
  readonly outputs: AttemptRecord["outputs"];
  readonly error?: Failure;
}

/** Made anew for each attempt, or part of a run of its own. */
const NOT_TAKEN = new RegExp(
  `^(?:${[ATTEMPT_FILES.record, ATTEMPT_FILES.inputs, ATTEMPT_FILES.gate].join("|")}|${ATTEMPT_FILES.run}/.*)$`,
);
const NOT_WHOLE = /^<(?:cut|binary|link|no file)>/;

/**
 * What the recorded attempt left, with the places of the run that is answered; or why nobody can say what it was, as
 * the end of a sentence. `name`: the attempt that is answered.
 */
export function leftBehind(
  record: AttemptRecord,
  files: ReadonlyMap<string, string>,
  name: AttemptName,
  places: AnswerPlaces,
): Left | string {
  const left = new Map<string, string>();
  for (const [path, text] of files) {
    if (!NOT_TAKEN.test(path)) left.set(places.shown(path), shownFile(path, text, places));
  }
  // No canonical form has these.
  if (record.exitCode !== undefined) {
    left.set(ATTEMPT_FILES.exit, `${record.exitCode}\n`);
    for (const log of LOG_FILES) if (!left.has(log)) left.set(log, "");
  }
  const outputs: Record<string, OutputValue> = {};
  for (const [key, output] of Object.entries(record.outputs)) {
    const mine = "value" in output ? valueBack(output.value, places) : output;
    if (mine === undefined) return `nobody knows what its output ${key} was: some of it was redacted`;
    const written = new Map<string, FileOutput>();
    for (const file of filesOf(mine)) {
      const path = file.file.slice(attemptPath(record).length + 1);
      const text = files.get(path) ?? "";
      if (NOT_WHOLE.test(text)) return `its output ${key} is not wholly in the fixture`;
      const back = places.back(text);
      if (back === null) return `nobody knows what its output ${key} was: some of it was redacted`;
      left.set(places.shown(path), back);
      const at = `${attemptPath(name)}/${places.shown(path)}`;
      written.set(file.file, { file: at, bytes: Buffer.byteLength(back), sha256: sha256(back) });
    }
    outputs[key] = mapFiles(mine, (file) => written.get(file.file) ?? file);
  }
  if (!record.error) return { files: left, outputs };
  const error = places.valueBack(record.error as unknown as Json);
  if (error === undefined) return "nobody knows what its error was: some of it was redacted";
  return { files: left, outputs, error: error as unknown as Failure };
}

function valueBack(value: Json, places: AnswerPlaces): OutputValue | undefined {
  const back = places.valueBack(value);
  return back === undefined ? undefined : { value: back };
}

function shownFile(path: string, text: string, places: AnswerPlaces): string {
  const shown = places.shown(text);
  if (path !== ATTEMPT_FILES.agent) return shown;
  const record = jsonOf(shown);
  // Nobody called the client.
  return isJsonObject(record) ? formatRecord({ ...record, volatile: { argv: [] } }) : shown;
}
