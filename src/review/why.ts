import { join } from "node:path";
import { itemsOf } from "../core/fold-fan.ts";
import { nameWithin, placeName } from "../core/ids.ts";
import { stepRecord } from "../core/record.ts";
import { isFinally, nodeAt, placeOf, type StepNode } from "../core/state.ts";
import { declaresInputs } from "../steps/input-key.ts";
import { damaged } from "../store/damage.ts";
import { attemptDir, RUN_FILES } from "../store/layout.ts";
import { viewNestedIfReadable } from "./inside.ts";
import { causeOf, type RootCause, rootCause } from "./root-cause.ts";
import { type CurrentView, definitionsOf, linesOf } from "./view.ts";
import { type InputsStory, inputsChangedSince, inputsStory } from "./why-inputs.ts";
import type { StepPlan } from "./why-plan.ts";
import { whyNotBegun } from "./why-reached.ts";
import { type Fate, planAnew, planLeft, planResume, type WholePlan } from "./why-resume.ts";
import type { Find, Settled } from "./why-settle.ts";
import type { RunWhy, StepWhy } from "./why-told.ts";
import { type AttemptTrace, type Trace, traceRun } from "./why-trace.ts";

export interface Look {
  readonly find: Find;
  readonly now: number;
  /** Whether somebody wants to know of the nested run of a step or an item. */
  into(step: Pick<StepWhy, "name" | "record">): boolean;
}

/**
 * From the journals, the disk and the executor alone, without a lock; works while an engine drives the run. Raises
 * RUN_DAMAGED, FORMAT_UNKNOWN.
 *
 * @param within the steps that the run is in, if it is nested; `fate`: what becomes of it then
 */
export async function whyRun(
  view: CurrentView,
  look: Look,
  within = "",
  fate: Fate = { is: "gone on with" },
): Promise<RunWhy> {
  return await new Teller(view, look, within, await traced(view)).tell(fate);
}

type Told = Omit<StepWhy, "resume" | "items" | "run">;

/** Tells of one run, and has others tell of those that are nested in it. */
class Teller {
  readonly #view: CurrentView;
  readonly #look: Look;
  readonly #within: string;
  readonly #trace: Trace;
  readonly #told = new Map<number, Told>();
  /** What is known of nested runs, by the index of the node whose attempt they are. */
  readonly #runs = new Map<number, RunWhy | null>();

  constructor(view: CurrentView, look: Look, within: string, trace: Trace) {
    this.#view = view;
    this.#look = look;
    this.#within = within;
    this.#trace = trace;
  }

  async tell(fate: Fate): Promise<RunWhy> {
    const { runDir, record, liveness, interrupted } = this.#view;
    const { state } = this.#trace;
    const since = await inputsChangedSince(state, runDir);
    // Before the plan, which takes the state further.
    for (const node of state.steps.flatMap((step) => [step, ...itemsIn(step)])) {
      const changedSince = node.item ? [] : (since.get(node.step.id) ?? []);
      this.#told.set(node.index, { ...(await this.#node(node)), changedSince });
    }
    const { of, ...resume } = await this.#plan(fate);
    const steps: StepWhy[] = [];
    for (const node of state.steps) steps.push(await this.#whole(node, of));
    return {
      runId: record.runId,
      runDir,
      within: this.#within,
      workflow: record.workflow.id,
      status: record.status,
      reason: record.reason,
      rootCause: await rootCause(this.#view, this.#within),
      interrupted,
      forkedFrom: record.volatile.forkedFrom ?? null,
      liveness,
      steps,
      resume,
    };
  }

  async #node(node: StepNode): Promise<Omit<Told, "changedSince">> {
    const { state } = this.#trace;
    const { step, item } = node;
    const record = stepRecord(node);
    const { status } = record;
    const { attempts, skipped, list } = this.#trace.of(placeOf(node));
    const entry = list ?? attempts.findLast(({ cause }) => ENTRIES.has(cause)) ?? attempts[0];
    const ran = entry !== undefined && status !== "pending" && status !== "skipped";
    const needs = item ? [] : step.needs.map((need) => nodeAt(state, need));
    const when = item || !step.foreach ? step.when : undefined;
    const name = nameWithin(this.#within, placeOf(node));
    return {
      ...placeOf(node),
      name,
      ...(item && { value: item.value }),
      record,
      because: ran ? entry.because : (skipped?.because ?? whyNotBegun(this.#trace, node)),
      when: when ? { source: when.source, is: ran ? true : skipped ? false : null } : null,
      needs: needs.map((need) => ({ step: need.step.id, status: stepRecord(need).status })),
      attempts,
      rootCause: this.#look.into({ name, record }) ? await this.#cause(node) : null,
      inputs: newestInputs(this.#view.runDir, node, attempts),
    };
  }

  /** Of what failed by what is in it: the first of its items, a step of its run. */
  async #cause({ step, fan, state: at, ...node }: StepNode): Promise<RootCause | null> {
    if (at.status !== "failed") return null;
    const item = fan && itemsIn({ fan }).find(({ state: { status } }) => status === "failed");
    if (!item && step.type !== "workflow") return null;
    const failed = item?.state.status === "failed" ? item.state : at;
    const place = item ? placeOf(item) : { step: step.id, ...(node.item && { item: node.item.number }) };
    const { attempt, failure } = failed;
    const message = `${placeName(place)} failed on attempt ${attempt}: ${failure.message}`;
    return causeOf(this.#view, { ...place, attempt }, { ...failure, message }, [], this.#within);
  }

  async #plan(fate: Fate): Promise<WholePlan> {
    const { state } = this.#trace;
    switch (fate.is) {
      case "left":
        return planLeft(state, fate.because);
      case "begun anew":
        return planAnew(state, fate.because);
      case "gone on with": {
        const { find, now } = this.#look;
        const driven = this.#view.liveness.state !== "nobody";
        const nested = (node: StepNode, attempt: number) => this.#settled(node, attempt);
        return planResume(state, this.#view.runDir, { find, now, driven, nested });
      }
      default:
        return fate satisfies never;
    }
  }

  /** A nested run whose attempt is open is gone on with, or has come to its end already. */
  async #settled(node: StepNode, attempt: number): Promise<Settled> {
    const view = await viewNestedIfReadable(this.#view.runDir, { ...placeOf(node), attempt });
    if (view === null) return { is: "goes on", because: "its run has not begun yet, and begins" };
    const name = nameWithin(this.#within, placeOf(node));
    const { status } = view.record;
    const isOver = status === "succeeded" || status === "failed" || status === "canceled";
    if (isOver && !(await this.#isCopy(node, attempt, view))) {
      const because = `its run has ended as ${status}, which the attempt takes over`;
      this.#runs.set(node.index, await whyRun(view, this.#look, name, { is: "left", because }));
      return { is: "goes on", because };
    }
    const run = await whyRun(view, this.#look, name);
    this.#runs.set(node.index, run);
    if (run.resume.does === "waits") return { is: "waits", because: `for its run: ${run.resume.because}` };
    return { is: "goes on", because: `its run goes on: ${run.resume.because}` };
  }

  /** Of the run of an earlier attempt, as far as that came: nobody has gone on with it yet. */
  async #isCopy(node: StepNode, attempt: number, { record }: CurrentView): Promise<boolean> {
    const { state: at } = node;
    if (at.status !== "running" || at.cause !== "resume") return false;
    for (let before = attempt - 1; before > 0; before -= 1) {
      const view = await viewNestedIfReadable(this.#view.runDir, { ...placeOf(node), attempt: before });
      if (view) return view.record.volatile.seq === record.volatile.seq;
    }
    return false;
  }

  async #whole(node: StepNode, of: WholePlan["of"]): Promise<StepWhy> {
    const told = this.#told.get(node.index);
    const resume = of.get(node.index);
    if (!told || !resume) throw new Error(`nothing is known of ${node.step.id}`);
    const items: StepWhy[] = [];
    for (const item of itemsIn(node)) items.push(await this.#whole(item, of));
    return { ...told, resume, items, run: await this.#run(node, told, resume) };
  }

  async #run(node: StepNode, { name, record }: Told, plan: StepPlan): Promise<RunWhy | null> {
    const { step, attempts } = node;
    if (step.type !== "workflow" || attempts === 0 || !this.#look.into({ name, record })) return null;
    const known = this.#runs.get(node.index);
    if (known) return known;
    const view = await viewNestedIfReadable(this.#view.runDir, { ...placeOf(node), attempt: attempts });
    return view && (await whyRun(view, this.#look, name, this.#fateOf(node, name, plan, view)));
  }

  /** What a plan makes of the run of the newest attempt. */
  #fateOf({ step, state: at }: StepNode, name: string, plan: StepPlan, { record }: CurrentView): Fate {
    const { does, attempt, because } = plan;
    if (does === "adopt" || (does === "wait" && at.status === "waiting")) return { is: "gone on with" };
    // A new attempt after a resume begins with a copy of it, if that leaves anything to do.
    const isLeft = record.status !== "succeeded" && !isFinally(this.#trace.state, step.index);
    if (isLeft && does === "run" && at.status === "pending" && at.cause === "resume")
      return { is: "gone on with" };
    if (does === "run" || does === "wait")
      return { is: "begun anew", because: `attempt ${attempt} of ${name} begins it anew` };
    return { is: "left", because: `${name}: ${because}` };
  }
}

async function traced(view: CurrentView): Promise<Trace> {
  const lines = linesOf(view);
  const [created] = lines;
  if (created?.event !== "run_created") throw damaged(`${view.runDir} holds no line`);
  const { workflow, definitionIn } = await definitionsOf(view.runDir, created.workflow, lines);
  try {
    return traceRun(workflow, lines, definitionIn);
  } catch (error) {
    throw damaged(`${join(view.runDir, RUN_FILES.journal)}: ${(error as Error).message}`);
  }
}

function itemsIn({ fan }: Pick<StepNode, "fan">): StepNode[] {
  return fan ? itemsOf(fan) : [];
}

function newestInputs(runDir: string, node: StepNode, attempts: readonly AttemptTrace[]): InputsStory | null {
  const last = attempts.at(-1);
  if (node.step.type !== "command" || !declaresInputs(node.step) || !last) return null;
  return inputsStory(attemptDir(runDir, { ...placeOf(node), attempt: last.attempt }));
}

/** What brings a run to a step; the other attempts are further ones of the same. */
const ENTRIES: ReadonlySet<string> = new Set(["first", "rework", "redo"]);
