import { type AttemptName, nameWithin, placeName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import type { StepRecord } from "../core/record.ts";
import { suggest } from "../language/did-you-mean.ts";
import { type ItemView, itemsOfStep, viewNested } from "../review/inside.ts";
import { type CurrentView, definitionOf } from "../review/view.ts";
import { count } from "./render/text.ts";

/** One link of a name: `deploy`, `deploy/2`, `deploy/item-3`, `deploy/item-3/2`. */
export interface Link {
  readonly step: string;
  readonly item?: number;
  /** Absent: the newest. */
  readonly attempt?: number;
}

/** What a name stands for. */
export interface Named extends Link {
  /** The innermost run that it leads into. */
  readonly view: CurrentView;
  /** The steps that this run is in; empty for the run itself. */
  readonly within: string;
  /** The whole way, the last link included. */
  readonly links: readonly Link[];
  /** Of the step, or of the item. */
  readonly record: StepRecord;
  /** Of an item. */
  readonly value?: Json;
  /** The newest attempt; 0 if there is none yet, or the name leaves open which item is meant. */
  readonly newest: number;
  /** With `foreach` and no item named: all there are. */
  readonly items: readonly ItemView[] | null;
}

/**
 * `STEP[/item-N][/ATTEMPT]`, and through nested runs `STEP[/item-N][/ATTEMPT]/INNER…`. Ids of steps begin with a letter,
 * so a number is an attempt; `item-N` is an item after a step with `foreach`, else a step of that name. Raises USAGE,
 * STEP_NOT_FOUND.
 */
export async function resolveName(run: CurrentView, text: string): Promise<Named> {
  const words = wordsOf(text);
  const links: Link[] = [];
  let view = run;
  let within = "";
  for (;;) {
    const { link, record } = await takeLink(view, within, words);
    const { step, item, attempt } = link;
    links.push(link);
    const name = nameWithin(within, link);
    const items = record.items === undefined ? null : await itemsOfStep(view, step);
    if (items && item === undefined) {
      if (attempt !== undefined || words.length > 0) throw whichItem(name, items, attempt, words);
      return { ...link, view, within, links, record, newest: 0, items };
    }
    const found = item === undefined ? undefined : items?.[item];
    const meant = found?.record ?? record;
    const newest = meant.attempts;
    if (attempt !== undefined && attempt > newest) throw noSuchAttempt(name, newest, attempt);
    if (words.length === 0) {
      const value = found && { value: found.value };
      return { ...link, view, within, links, record: meant, ...value, newest, items: null };
    }
    const of = { step, item, attempt: attempt ?? newest };
    const inner = newest === 0 ? null : await viewNested(view.runDir, of);
    if (inner === null) throw await notInside(view, of, name, words[0] as string);
    within = of.attempt === newest ? name : `${name}/${of.attempt}`;
    view = inner;
  }
}

/** The attempt that is meant. Raises STEP_NOT_FOUND: there is none yet, or it is open of which item. */
export function attemptMeant(named: Named): AttemptName {
  const { step, item, attempt, newest, items } = named;
  if (items) throw whichItem(nameOfNamed(named), items, undefined, []);
  if (newest > 0) return { step, item, attempt: attempt ?? newest };
  throw new WfError({
    code: "STEP_NOT_FOUND",
    message: `${nameOfNamed(named)} has had no attempt`,
    hint: whyNone(named),
  });
}

/** As it was named, without an attempt. */
export function nameOfNamed({ within, step, item }: Named): string {
  return nameWithin(within, { step, item });
}

/** The first link alone, of a run of which nothing more is known. Raises USAGE. */
export function firstLink(text: string): Link {
  const [step = "", attempt] = wordsOf(text);
  return attempt !== undefined && isNumber(attempt) ? { step, attempt: Number(attempt) } : { step };
}

/** Whether the attempt at the end of the way is what the name stands for, or lies in it. */
export function isMeant(links: readonly Link[], way: readonly AttemptName[]): boolean {
  return links.every(({ step, item, attempt }, index) => {
    const at = way[index];
    const fits = (wanted: number | undefined, is: number | undefined) =>
      wanted === undefined || wanted === is;
    return at !== undefined && at.step === step && fits(item, at.item) && fits(attempt, at.attempt);
  });
}

function wordsOf(text: string): string[] {
  const words = text.split("/");
  if (words.every((word) => word !== "") && !isNumber(words[0] as string)) return words;
  throw new WfError({
    code: "USAGE",
    message: `${JSON.stringify(text)} does not name a step or an attempt`,
    hint: [
      "write STEP for its newest attempt or STEP/ATTEMPT, such as build or build/2,",
      "STEP/item-N for an item of a step with foreach, and so on into nested runs: deploy/item-3/test",
    ].join("\n"),
  });
}

/** Takes the words off of which the next link is made. */
async function takeLink(view: CurrentView, within: string, words: string[]) {
  const { record } = view;
  const step = words.shift() as string;
  const found = Object.hasOwn(record.steps, step) ? record.steps[step] : undefined;
  if (found === undefined) {
    const of = within === "" ? "" : `, which ${within} runs,`;
    throw new WfError({
      code: "STEP_NOT_FOUND",
      message: `the workflow ${record.workflow.id}${of} has no step "${step}"`,
      hint: suggest(step, Object.keys(record.steps), "steps"),
    });
  }
  const item = ITEM.exec(words[0] ?? "")?.[1];
  let link: Link = { step };
  if (item !== undefined && (found.items !== undefined || (await hasForeach(view, step)))) {
    words.shift();
    const total = found.items?.total ?? 0;
    const name = nameWithin(within, link);
    if (Number(item) >= total) throw noSuchItem(name, total, item, found.status === "succeeded");
    link = { step, item: Number(item) };
  }
  if (isNumber(words[0] ?? "")) link = { ...link, attempt: Number(words.shift()) };
  return { link, record: found };
}

const ITEM = /^item-(0|[1-9][0-9]{0,8})$/;

function isNumber(word: string): boolean {
  return /^[1-9][0-9]{0,8}$/.test(word);
}

/** The record does not say it before the step has begun, nor of an empty list. */
async function hasForeach({ runDir, record, folded }: CurrentView, step: string): Promise<boolean> {
  const workflow = folded?.state.workflow ?? (await definitionOf(runDir, record.workflow));
  return workflow.steps.some(({ id, foreach }) => id === step && foreach !== undefined);
}

function noSuchItem(name: string, total: number, item: string, isOver: boolean): WfError {
  const has = total === 0 ? (isOver ? "an empty list" : "not begun: it has no items yet") : itemRange(total);
  const message = `${name} has ${has}${total === 0 ? "" : `, there is no item ${item}`}`;
  return new WfError({ code: "STEP_NOT_FOUND", message });
}

function itemRange(total: number): string {
  return total === 1 ? "one item, item-0" : `items 0 to ${total - 1}`;
}

/** What goes on after a step that is done once for each of its items. */
function whichItem(
  name: string,
  items: readonly ItemView[],
  attempt: number | undefined,
  words: readonly string[],
): WfError {
  const rest = [...(attempt === undefined ? [] : [attempt]), ...words].join("/");
  const failed = items.filter(({ record }) => record.status === "failed");
  const shown = (failed.length > 0 ? failed : items).slice(0, LISTED);
  const names = shown.map(({ item }) => `${name}/item-${item}${rest === "" ? "" : `/${rest}`}`);
  const more = failed.length > LISTED ? `, and ${failed.length - LISTED} more` : "";
  const message = `${name} has ${itemRange(items.length)}, and the name leaves open which is meant`;
  const hint =
    failed.length > 0 ? `failed: ${names.join(", ")}${more}` : `such as ${names[0] ?? `${name}/item-0`}`;
  return new WfError({ code: "STEP_NOT_FOUND", message, hint });
}

const LISTED = 5;

function noSuchAttempt(name: string, newest: number, attempt: number): WfError {
  const had = newest === 0 ? "no attempt yet" : newest === 1 ? "one attempt" : count(newest, "attempt");
  return new WfError({
    code: "STEP_NOT_FOUND",
    message: `${name} has had ${had}, there is no attempt ${attempt}`,
  });
}

/** There is no nested run: the step has none, or has not come to it. */
async function notInside(
  { runDir, record, folded }: CurrentView,
  attempt: AttemptName,
  name: string,
  inner: string,
): Promise<WfError> {
  const workflow = folded?.state.workflow ?? (await definitionOf(runDir, record.workflow));
  const step = workflow.steps.find(({ id }) => id === attempt.step);
  const isNested = step?.type === "workflow";
  const message = !isNested
    ? `${name} is no nested workflow: there is no "${inner}" in it`
    : attempt.attempt === 0
      ? `${name} has had no attempt: the workflow that it runs has not begun`
      : `attempt ${attempt.attempt} of ${name} has no run: it ended before that began`;
  const item = ITEM.test(inner) ? `${placeName(attempt)} has no foreach either` : undefined;
  return new WfError({
    code: "STEP_NOT_FOUND",
    message,
    ...(!isNested && item !== undefined && { hint: item }),
  });
}

function whyNone({ record }: Named): string {
  if (record.status === "skipped") return `it was skipped: ${record.because ?? "no reason was recorded"}`;
  if (record.status === "succeeded") return "the list of its foreach was empty";
  return "it has not been reached";
}
