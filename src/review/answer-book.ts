import type { AnsweredFrom, AnswerSource } from "../core/answers.ts";
import type { AttemptRecord } from "../core/event.ts";
import type { PlaceName } from "../core/ids.ts";
import type { InputParts } from "../core/input-parts.ts";
import { nodeOf, placeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Places } from "../steps/scope.ts";
import { ATTEMPT_FILES, attemptPath } from "../store/layout.ts";
import { compareGiven } from "./answer-compare.ts";
import { type Left, leftBehind } from "./answer-left.ts";
import type { AnswerPlaces } from "./answer-places.ts";
import { type RecordedAttempt, RecordedAttempts } from "./answer-record.ts";
import { sha256 } from "./canon-cut.ts";
import type { Definition } from "./replay-definition.ts";
import { type Recorded, readNested } from "./replay-record.ts";
import { placesIn } from "./replay-texts.ts";

/** How an attempt ends that the fixture answers. */
export interface Answer extends Left {
  readonly record: AttemptRecord;
  readonly from: AnsweredFrom;
}

/** An answer, or why there is none, as the end of a sentence. */
export type Found = Answer | { readonly because: string };

/** An attempt that is about to begin. */
export interface Asked {
  readonly state: RunState;
  readonly places: Places;
  readonly node: StepNode;
  /** Its number. */
  readonly attempt: number;
  /** Which of those that count it is, from 0. */
  readonly nth: number;
  /** Digests of the input files that it declares. */
  readonly inputFiles: InputParts["files"];
}

export interface BookParts {
  readonly source: AnswerSource;
  readonly recorded: Recorded;
  /** That the record was made with. */
  readonly definition: Definition;
  readonly places: AnswerPlaces;
  /** Of a nested run, in the fixture; with `/` at its end. */
  readonly folder: string;
}

/** Answers the attempts of one run from a fixture. */
export class AnswerBook {
  readonly source: AnswerSource;
  readonly #parts: BookParts;
  readonly #attempts: RecordedAttempts;
  /** By the attempt's folder, and then by their path in it. */
  readonly #files: ReadonlyMap<string, ReadonlyMap<string, string>>;

  constructor(parts: BookParts) {
    this.source = parts.source;
    this.#parts = parts;
    this.#attempts = new RecordedAttempts(parts.definition.workflow, parts.recorded.lines);
    this.#files = filesOfAttempts(parts.recorded.files);
  }

  find(asked: Asked): Found {
    const { node, attempt, nth } = asked;
    const found = this.#attempts.nth(placeOf(node), nth);
    if (!found) return { because: nth === 0 ? "the fixture has no attempt of it" : NO_FURTHER };
    const fault = faultOf(found);
    if (fault !== null) return { because: fault };
    const { record, at } = found;
    const { source, places, folder } = this.#parts;
    const path = attemptPath(record);
    const files = this.#files.get(path) ?? NO_FILES;
    const state = this.#attempts.stateAt(at);
    const was = nodeOf(state, record.step, record.item);
    const runDir = `<run>/${folder}`.replace(/\/$/, "");
    const before = { state, places: placesIn(runDir), node: was, step: was.step, attempt: record.attempt };
    const texts = compareGiven({ live: asked, recorded: before, files, places });
    if (typeof texts === "string") return { because: texts };
    const left = leftBehind(record, files, { ...placeOf(node), attempt }, places);
    if (typeof left === "string") return { because: left };
    const digest = sha256(files.get(ATTEMPT_FILES.record) ?? "");
    return {
      ...left,
      files: new Map([...left.files, ...texts]),
      record,
      from: { fixture: source.fixture, attempt: folder + path, sha256: digest },
    };
  }

  /** For the run that is the n-th attempt, of those that count, of a step or item; null if the fixture has none. */
  within(place: PlaceName, nth: number): AnswerBook | null {
    const { recorded, definition, folder, source } = this.#parts;
    const found = this.#attempts.nth(place, nth);
    const step = definition.workflow.steps.find(({ id }) => id === place.step);
    if (!found || step?.type !== "workflow") return null;
    const path = `${attemptPath(found.record)}/${ATTEMPT_FILES.run}`;
    const nested = readNested(recorded, path, source.fixture);
    if (!nested) return null;
    const inside = { recorded: nested, definition: definition.inside(step), folder: `${folder}${path}/` };
    return new AnswerBook({ ...this.#parts, ...inside });
  }
}

const NO_FURTHER = "the fixture has no further attempt of it";

function faultOf({ record: { status }, isEdited }: RecordedAttempt): string | null {
  if (isEdited) return "an output of the attempt in the fixture was replaced by another";
  return status === "succeeded" || status === "failed" ? null : `the attempt in the fixture was ${status}`;
}

const NO_FILES: ReadonlyMap<string, string> = new Map();
const IN_ATTEMPT = /^(steps\/[^/]+\/(?:item-\d+\/)?attempt-\d+)\/(.+)$/;

function filesOfAttempts(files: Recorded["files"]): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const [path, text] of files) {
    const [, folder, name] = IN_ATTEMPT.exec(path) ?? [];
    if (folder === undefined || name === undefined) continue;
    const own = found.get(folder) ?? new Map<string, string>();
    found.set(folder, own.set(name, text));
  }
  return found;
}
