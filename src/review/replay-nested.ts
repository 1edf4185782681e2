import { parseDecision } from "../core/decision.ts";
import type { AttemptRecord } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { toRecord } from "../core/record.ts";
import { placeOf, type RunState, type StepNode } from "../core/state.ts";
import { renderValue, TemplateError, templatesIn } from "../core/template.ts";
import type { InputDeclaration, NestedStep } from "../core/workflow.ts";
import { nestedOutputs } from "../steps/nested.ts";
import { attemptScope, pathsOf } from "../steps/scope.ts";
import { ATTEMPT_FILES, attemptPath } from "../store/layout.ts";
import type { Definition } from "./replay-definition.ts";
import { Blame, Findings } from "./replay-difference.ts";
import { type Counts, ReplayDrive, type ReplayParts } from "./replay-drive.ts";
import { isSecret, presentInputs } from "./replay-inputs.ts";
import { type Entry, type Recorded, readNested } from "./replay-record.ts";
import { placesIn } from "./replay-texts.ts";

type AttemptEntry = Entry & { kind: "attempt" };

/** An attempt that is a run of its own, as it starts. */
export interface NestedStart {
  readonly state: RunState;
  readonly node: StepNode;
  readonly step: NestedStep;
  readonly entry: AttemptEntry;
}

/** Replays the runs that attempts are. */
export class NestedReplays {
  readonly #parts: ReplayParts;
  readonly #findings: Findings;
  readonly #counts: Counts;

  constructor(parts: ReplayParts, findings: Findings, counts: Counts) {
    this.#parts = parts;
    this.#findings = findings;
    this.#counts = counts;
  }

  /** Compares what the attempt gives its run, and replays that; the attempt's record as this makes it. */
  replay(start: NestedStart): AttemptRecord | null {
    const { node, step, entry } = start;
    const { record } = entry;
    const name = { ...placeOf(node), attempt: entry.attempt };
    const folder = runFolder(name);
    const recorded = readNested(this.#parts.recorded, folder, this.#parts.name);
    const values = this.#values(start);
    if (!recorded) {
      this.#noRun(start, name);
      return record;
    }
    if (values === null || this.#goesOn(name)) return record;
    const present = this.#parts.present.inside(step);
    const within = { name: this.#findings.name(name), folder: `${this.#findings.within.folder}${folder}/` };
    const before = this.#before(step) ?? present;
    const blame = new Blame(present, before);
    const findings = new Findings(blame, within, this.#findings);
    const declared = presentInputs(
      recorded,
      { before: before.workflow, present: present.workflow },
      findings,
    );
    const inputs = { ...declared, ...this.#compareInputs(start, recorded, values) };
    const drive = new ReplayDrive(this.#within(recorded, present, step, inputs, name), findings);
    drive.run();
    for (const key of ["attempts", "skipped", "decisions", "passedOver"] as const)
      this.#counts[key] += drive.counts[key];
    return record && drive.isWhole ? answerOf(drive, present, step, record) : record;
  }

  #within(
    recorded: Recorded,
    present: Definition,
    step: NestedStep,
    inputs: JsonObject,
    name: AttemptName,
  ): ReplayParts {
    const before = this.#before(step) ?? present;
    const folder = `${this.#parts.folder}/${runFolder(name)}`;
    const { texts } = this.#parts;
    const runDirAt = this.#runDirs(recorded, name);
    return {
      recorded,
      name: `${this.#parts.name}/${runFolder(name)}`,
      present,
      before,
      inputs,
      folder,
      texts,
      runDirAt,
    };
  }

  /** The definition of the run, as it was recorded; null if the step was of another type. */
  #before({ id }: NestedStep): Definition | null {
    const { before } = this.#parts;
    const step = before.workflow.steps.find((each) => each.id === id);
    return step?.type === "workflow" ? before.inside(step) : null;
  }

  /** What the step gives its run now; null: it can not, as in the record. */
  #values({ state, node, step, entry }: NestedStart): Readonly<Record<string, Json>> | null {
    const { attempt, at, record } = entry;
    const templates = Object.values(step.with).flatMap((value) => [...templatesIn(value)]);
    const around = [...templates, ...Object.values(step.env)];
    const failed = record?.error?.code === "TEMPLATE_ERROR" ? record.error.message : null;
    const whole = "every template has a value";
    let fault: string | null = null;
    let values: Record<string, Json> = {};
    try {
      const scope = attemptScope(state, placesIn(this.#parts.runDirAt(at)), node, attempt, pathsOf(around));
      values = Object.fromEntries(
        Object.entries(step.with).map(([key, value]) => [key, renderValue(value, scope)]),
      );
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      fault = error.message;
    }
    if ((fault === null) !== (failed === null)) {
      throw this.#findings.diverged({
        ...{ kind: "inputs", ...placeOf(node), attempt, keys: ["with", "env"] },
        message: `the templates of ${this.#findings.name(placeOf(node))} come to something else`,
        ...{ expected: failed ?? whole, actual: fault ?? whole },
      });
    }
    return fault === null ? values : null;
  }

  /** An attempt that has no run in the record failed before there was one; or the step was of another type. */
  #noRun({ step, entry }: NestedStart, name: AttemptName): void {
    if (entry.record === null || (this.#before(step) !== null && entry.record.status !== "succeeded")) return;
    const before = this.#parts.before.workflow.steps.find(({ id }) => id === step.id);
    const shown = this.#findings.name(name);
    const isOther = before !== undefined && before.type !== "workflow";
    const message = isOther ? `${shown} is a step of another type` : `the record has no run of ${shown}`;
    const [expected, actual] = isOther ? [before.type, step.type] : ["", step.definition.id];
    throw this.#findings.diverged({
      kind: "inputs",
      ...name,
      message,
      expected,
      actual,
      keys: ["type", "workflow"],
    });
  }

  /** The values of the inputs that the run declares now; those that are others are told of. */
  #compareInputs(
    { node, step, entry }: NestedStart,
    { created }: Recorded,
    values: Readonly<Record<string, Json>>,
  ): JsonObject {
    const before = this.#parts.before.workflow.steps.find(({ id }) => id === step.id);
    const now: Record<string, Json> = {};
    for (const input of step.definition.workflow.inputs) {
      const { name } = input;
      const value = givenTo(input, values[name]);
      now[name] = value;
      if (!Object.hasOwn(created.inputs, name)) continue;
      const was = before?.type === "workflow" ? before.with[name] : undefined;
      const sameSource = JSON.stringify(was) === JSON.stringify(step.with[name]);
      const [expected = "", actual = ""] = [created.inputs[name] ?? null, value].map(inShort);
      if (this.#parts.texts.isSame(expected, actual, sameSource)) continue;
      const place = { ...placeOf(node), attempt: entry.attempt };
      const message = `${this.#findings.name(place)} gives its run another ${name}`;
      this.#findings.differ({
        kind: "inputs",
        ...place,
        message,
        expected,
        actual,
        keys: ["with", "foreach"],
      });
    }
    return now;
  }

  /** Whether a later attempt began with a copy of this one's run, and so replays it too. */
  #goesOn({ attempt, ...place }: AttemptName): boolean {
    const { recorded, name } = this.#parts;
    for (let later = attempt + 1; ; later += 1) {
      const folder = runFolder({ ...place, attempt: later });
      if (!recorded.nested.has(folder)) return false;
      const next = readNested(recorded, folder, name);
      if ((next?.created.parent?.attempt ?? later) <= attempt) return true;
    }
  }

  /** Of a run that began as a copy, what was done before lay elsewhere. */
  #runDirs({ created }: Recorded, { attempt, ...place }: AttemptName): ReplayParts["runDirAt"] {
    const { recorded, runDirAt } = this.#parts;
    const lengths: { readonly folder: string; readonly lines: number }[] = [];
    for (let n = created.parent?.attempt ?? attempt; n < attempt; n += 1) {
      const folder = runFolder({ ...place, attempt: n });
      const journal = recorded.nested.get(folder)?.get("progress.ndjson");
      if (journal !== undefined) lengths.push({ folder, lines: journal.split("\n").length - 1 });
    }
    const own = runFolder({ ...place, attempt });
    const around = runDirAt(Number.POSITIVE_INFINITY);
    return (at) => `${around}/${lengths.find(({ lines }) => at < lines)?.folder ?? own}`;
  }
}

function runFolder(name: AttemptName): string {
  return `${attemptPath(name)}/${ATTEMPT_FILES.run}`;
}

/** As the run is given it: what has no value is not given, and a default counts. */
function givenTo({ name, secret, default: byDefault }: InputDeclaration, given: Json | undefined): Json {
  const value = given ?? byDefault ?? null;
  return secret && isSecret(value) ? { $secret: name } : value;
}

function inShort(value: Json): string {
  const line = JSON.stringify(value);
  return line.length > 80 ? `${JSON.stringify(value, null, 2)}\n` : line;
}

/** The record of an attempt whose run has been replayed: with the outputs that the run has now. */
function answerOf(
  drive: ReplayDrive,
  { workflow }: Definition,
  step: NestedStep,
  record: AttemptRecord,
): AttemptRecord {
  if (record.status !== "succeeded") return record;
  const outputs = nestedOutputs(workflow, record, toRecord(drive.state, 0));
  const said = outputs.decision;
  const decision = step.gate && said && "value" in said ? parseDecision(said.value) : null;
  return { ...record, outputs, ...(decision !== null && { decision }) };
}
