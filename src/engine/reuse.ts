import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AttemptCause } from "../core/event.ts";
import { changesBetween } from "../core/input-changes.ts";
import { type InputParts, type InputsNotes, partsOf } from "../core/input-parts.ts";
import { MAX_REUSED_PER_TURN } from "../core/limits.ts";
import { filesOf, mapFiles } from "../core/output-value.ts";
import { placeOf, type StepNode, stepNode } from "../core/state.ts";
import { TemplateError } from "../core/template.ts";
import type { CommandStep } from "../core/workflow.ts";
import { contentOf } from "../steps/input-files.ts";
import { type Inputs, inputsOf, namesSecret } from "../steps/input-key.ts";
import { inputsText, readInputs, readScript } from "../steps/inputs-record.ts";
import { PreparationError } from "../steps/prepare.ts";
import { ATTEMPT_FILES, attemptDir, attemptPath } from "../store/layout.ts";
import { shareTree } from "../store/share-tree.ts";
import { type EarlierAttempt, type FoundAttempt, faultOf, placeText } from "./earlier-run.ts";
import { recordEnd } from "./record-end.ts";
import { ReuseSources } from "./reuse-sources.ts";
import type { Session } from "./session.ts";
import { syncArtifacts } from "./sync-artifacts.ts";

/** What an attempt depends on. */
export interface DeclaredInputs {
  /** Of `inputs.json`. */
  readonly text: string;
  readonly files: InputParts["files"];
}

function declaredInputs(inputs: Inputs, notes: InputsNotes): DeclaredInputs {
  return { text: inputsText(inputs, notes), files: inputs.parts.files };
}

/** What has become of the start of an attempt that declares its inputs. */
export type Begun =
  /** They are still being read; the loop is woken when they have been. */
  | "later"
  /** An earlier attempt was taken over: it has ended already. */
  | "taken"
  /** The command has to run. */
  | DeclaredInputs;

interface Search {
  readonly inputs: Inputs;
  /** Null: none fits. */
  readonly found: FoundAttempt | null;
  readonly notes: InputsNotes;
}

/** Takes over finished attempts instead of running the commands again, where nothing that is declared has changed. */
export class Reuse {
  readonly #session: Session;
  readonly #poke: () => void;
  readonly #sources: ReuseSources;
  /** Input files that were read beside the loop, or what went wrong; by the index of the node. */
  readonly #read = new Map<number, { readonly files: InputParts["files"] } | { readonly error: unknown }>();
  readonly #reading = new Set<number>();
  /** What was found wrong with an earlier attempt's files, by its folder; undefined while they are read. */
  readonly #faults = new Map<string, string | null | undefined>();
  /** Nodes of which nothing can be taken over, with the number of attempts they had then. */
  readonly #missed = new Map<number, number>();
  /** What was found in this turn for steps that are about to start. */
  readonly #found = new Map<number, Search>();
  readonly #told = new Set<string>();
  /** Whether steps may be taken over that have not been done in this run yet. */
  readonly isOfUse: boolean;
  #taken = 0;

  constructor(session: Session, poke: () => void) {
    const { reuse, workflow } = session.state;
    this.isOfUse = reuse !== null && workflow.steps.some((step) => step.type === "command" && step.cache);
    this.#session = session;
    this.#poke = poke;
    this.#sources = new ReuseSources(session);
  }

  nextTurn(): void {
    this.#taken = 0;
    this.#found.clear();
  }

  /** Whether the next attempt of a step can be taken over, so that it needs no place among those that run. */
  canTake(node: StepNode): boolean {
    const { step } = node;
    if (step.type !== "command" || !this.#mayTake(node, step)) return false;
    if (this.#missed.get(node.index) === node.attempts) return false;
    if (this.#taken + this.#found.size >= MAX_REUSED_PER_TURN) {
      this.#poke();
      return false;
    }
    let search: Search | "later" | null = null;
    try {
      search = this.#search(node, step);
    } catch (error) {
      // Said when it is about to start.
      if (!(error instanceof PreparationError) && !(error instanceof TemplateError)) throw error;
    }
    if (search === "later") return false;
    if (search?.found) this.#found.set(node.index, search);
    else this.#missed.set(node.index, node.attempts);
    return this.#found.has(node.index);
  }

  /** Raises `PreparationError` for what the step itself lacks. */
  begin(node: StepNode, step: CommandStep, cause: AttemptCause): Begun {
    const known = this.#found.get(node.index);
    this.#found.delete(node.index);
    const search = known ?? this.#searchOrFail(node, step);
    if (search === "later") return "later";
    const { inputs, found, notes } = search;
    if (!found) return declaredInputs(inputs, notes);
    const fault = this.#take(node, cause, inputs, found);
    if (fault === null) return "taken";
    this.#faults.set(found.dir, fault);
    this.#tell(found, fault);
    if (!known) return declaredInputs(inputs, { comparedWith: found.place, changed: [fault] });
    // It was started without a place among those that run, and needs one now.
    this.#missed.set(node.index, node.attempts);
    this.#poke();
    return "later";
  }

  #mayTake(node: StepNode, step: CommandStep): boolean {
    if (!step.cache || (step.foreach && !node.item) || stepNode(node).afresh) return false;
    return node.attempts > 0 || this.#sources.any;
  }

  #searchOrFail(node: StepNode, step: CommandStep): Search | "later" {
    try {
      return this.#search(node, step);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new PreparationError({ code: "TEMPLATE_ERROR", message: error.message });
    }
  }

  #search(node: StepNode, step: CommandStep): Search | "later" {
    const { state, places } = this.#session;
    const files = this.#filesOf(node, step);
    if (files === "later") return "later";
    const inputs = inputsOf({ state, places, node, step }, files);
    const nothing = (changed?: string): Search => ({
      inputs,
      found: null,
      notes: changed === undefined ? {} : { changed: [changed] },
    });
    if (!this.#mayTake(node, step)) {
      return nothing(step.cache && stepNode(node).afresh ? "it was to be done again, by --from" : undefined);
    }
    if (namesSecret(state, places.secrets, step)) return nothing("it is given a secret");
    return this.#searchIn(node, step, inputs);
  }

  #searchIn(node: StepNode, step: CommandStep, inputs: Inputs): Search | "later" {
    let compared: EarlierAttempt | null = null;
    const changed: string[] = [];
    for (const attempt of this.#sources.withKey(node, inputs.key)) {
      const fault = this.#faultOf(attempt);
      if (fault === undefined) return "later";
      if (fault === null) return { inputs, found: attempt, notes: {} };
      compared ??= attempt;
      changed.push(fault);
      this.#tell(attempt, fault);
    }
    compared ??= this.#sources.newest(node);
    if (compared === null) {
      return { inputs, found: null, notes: { changed: ["no earlier attempt of it has finished"] } };
    }
    if (changed.length === 0) changed.push(...whatChanged(compared, inputs, step));
    return { inputs, found: null, notes: { comparedWith: compared.place, changed } };
  }

  /** Once for each attempt: what is wrong with it is worth knowing, it is no reason to stop. */
  #tell(attempt: EarlierAttempt, fault: string): void {
    if (this.#told.has(attempt.dir)) return;
    this.#told.add(attempt.dir);
    this.#session.note(`${placeText(attempt.place)} can not be reused: ${fault}`);
  }

  #filesOf(node: StepNode, { inputFiles }: CommandStep): InputParts["files"] | "later" {
    if (!inputFiles) return {};
    const { index } = node;
    const read = this.#read.get(index);
    this.#read.delete(index);
    if (read && "error" in read) throw read.error;
    if (read) return read.files;
    if (this.#reading.has(index)) return "later";
    const { places, digests } = this.#session;
    const found = contentOf(places.project, inputFiles, digests);
    if (!(found instanceof Promise)) return found;
    this.#reading.add(index);
    const settle = (result: { files: InputParts["files"] } | { error: unknown }) => {
      this.#reading.delete(index);
      this.#read.set(index, result);
      this.#poke();
    };
    found.then(
      (files) => settle({ files }),
      (error) => settle({ error }),
    );
    return "later";
  }

  /** Undefined while its outputs are being read. */
  #faultOf(attempt: FoundAttempt): string | null | undefined {
    const { dir } = attempt;
    if (this.#faults.has(dir)) return this.#faults.get(dir);
    const fault = faultOf(attempt, this.#session.digests);
    if (!(fault instanceof Promise)) return fault;
    this.#faults.set(dir, undefined);
    void fault.then((known) => {
      this.#faults.set(dir, known);
      this.#poke();
    });
    return undefined;
  }

  /** Null if it was taken over, else what stood against it. */
  #take(node: StepNode, cause: AttemptCause, inputs: Inputs, earlier: FoundAttempt): string | null {
    const session = this.#session;
    const name = { ...placeOf(node), attempt: node.attempts + 1 };
    const dir = attemptDir(session.places.runDir, name);
    const before = earlier.notes.reusedFrom;
    const ran = before && (before.ran ?? { run: before.run, path: before.path });
    const reusedFrom = { ...earlier.place, ...(ran && { ran }) };
    freePlace(dir);
    try {
      shareTree(earlier.dir, dir, { sync: false, without: (path) => NOT_TAKEN.has(path) });
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      return (error as Error).message;
    }
    writeFileSync(join(dir, ATTEMPT_FILES.inputs), inputsText(inputs, { reusedFrom }));
    session.record({ event: "attempt_started", ...name, cause, volatile: { reusedFrom } });
    const [from, to] = [`${earlier.place.path}/`, `${attemptPath(name)}/`];
    const outputs = Object.fromEntries(
      Object.entries(earlier.record.outputs).map(([key, output]) => [
        key,
        mapFiles(output, (file) => ({ ...file, file: file.file.replace(from, to) })),
      ]),
    );
    const { exitCode, decision } = earlier.record;
    recordEnd(
      session,
      { index: node.index, attempt: name.attempt },
      { status: "succeeded", ...(exitCode !== undefined && { exitCode }) },
      { outputs, security: [], reusedFrom, ...(decision && { decision }) },
    );
    const files = Object.values(outputs).flatMap((output) => [...filesOf(output)]);
    syncArtifacts(session, files, dir);
    this.#taken += 1;
    return null;
  }
}

/** What the attempt has of its own, and what it worked in. */
const NOT_TAKEN: ReadonlySet<string> = new Set([
  ATTEMPT_FILES.record,
  ATTEMPT_FILES.inputs,
  ATTEMPT_FILES.work,
]);

/** A folder of this number that the journal does not know can not have run: its place is taken. */
function freePlace(dir: string): void {
  if (existsSync(dir)) rmSync(dir, { recursive: true });
  else mkdirSync(dirname(dir), { recursive: true });
}

function whatChanged(earlier: EarlierAttempt, { parts }: Inputs, step: CommandStep): string[] {
  const record = readInputs(earlier.dir);
  if (record === null) return [`${placeText(earlier.place)} has no record of its inputs`];
  const scripts = { before: readScript(earlier.dir), now: step.script.text };
  const changes = changesBetween(partsOf(record), parts, scripts);
  return changes.length > 0 ? changes : ["its inputs were recorded in another way"];
}
