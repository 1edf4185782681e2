import type { StepRecord } from "../../core/record.ts";
import { isTelling } from "../../review/tree.ts";
import type { StepPlan } from "../../review/why-plan.ts";
import type { RunWhy, StepWhy } from "../../review/why-told.ts";
import { redoCommand } from "../../steps/inputs-since.ts";
import { ancestryText, answerText, placeText } from "./event.ts";
import { livenessText } from "./liveness.ts";
import { countsText, hasAny, itemLabel, ownMessage, SHOWN } from "./steps.ts";
import { colors, paintStatus } from "./style.ts";
import { afterStatus, count, localTime, oneLine, shellWord, table } from "./text.ts";

/**
 * ```
 * run r failed: deploy/item-1/test failed on attempt 1: exit status 1   [EXIT_STATUS]
 * wf resume r: it starts attempt 2 of deploy/item-1
 *
 * STEP             STATUS     RESUME   WHY
 * build            succeeded  reuse    first step in the file
 * deploy           failed     run      from build: next step in the file; 1 of 3 items failed; …
 *   item-1 (prod)  failed     run      it is item 2 of 3; failed on attempt 1: its run failed [NESTED_FAILED]
 *     test         failed     run      first step in the file; failed on attempt 1: exit status 1 [EXIT_STATUS]
 * ```
 */
export function whyText(why: RunWhy, name: string): string {
  const fork = why.forkedFrom === null ? [] : [`it was forked from ${ancestryText(why.forkedFrom)}`];
  return [headline(why), ...fork, resumeLine(why, name), "", ...whyTable(why.steps, why)].join("\n");
}

function headline({ runId, status, reason, rootCause, interrupted, liveness }: RunWhy): string {
  const run = `run ${runId}`;
  if (interrupted) return `${run} was ${paintStatus("interrupted", "cut off")}: nobody drives it`;
  const is = status === "running" || status === "queued" || status === "waiting" ? "is " : "";
  const driver = liveness.state === "nobody" ? "" : `, ${livenessText(liveness)}`;
  const said = rootCause ?? reason;
  if (said === null) return `${run} ${is}${paintStatus(status)}${driver}`;
  const code = colors().dim(`[${said.code}]`);
  return `${run} ${is}${paintStatus(status)}: ${afterStatus(status, said.message)}${driver}   ${code}`;
}

function resumeLine({ resume }: RunWhy, name: string): string {
  const command = `wf resume ${shellWord(name)}`;
  switch (resume.does) {
    case "nothing":
    case "goes on":
    case "waits":
      return `${command}: ${oneLine(resume.because)}`;
    case "is refused":
      return `${command} is refused: ${oneLine(resume.because)}`;
    case "cancels":
      return `${command} ends the run as canceled: ${oneLine(resume.because)}`;
    default:
      return resume.does satisfies never;
  }
}

interface Row {
  readonly label: string;
  readonly status: string;
  readonly does: StepPlan["does"] | "";
  readonly text: string;
}

/** Steps of a run, or items of a step, with what is in them. */
export function whyTable(steps: readonly StepWhy[], run: RunWhy): string[] {
  const rows = steps.flatMap((step) => stepRows(step, run, ""));
  const cells = rows.map(({ label, status, does, text }) => [label, status, does, text]);
  return table([["STEP", "STATUS", "RESUME", "WHY"], ...cells], (cell, row, column) => {
    const shown = rows[row - 1];
    if (!shown) return colors().dim(cell);
    if (column === 1) return paintStatus(shown.status, cell);
    return column === 2 && shown.does !== "" ? paintPlan(shown.does, cell) : cell;
  });
}

function stepRows(step: StepWhy, run: RunWhy, by: string): Row[] {
  const { record, resume, items, run: nested } = step;
  const label = step.item === undefined ? step.step : itemLabel(step.item, step.value ?? null);
  const own = {
    label: by + label,
    status: record.status,
    does: resume.does,
    text: oneLine(sentence(step, run)),
  };
  const inner = `${by}  `;
  return [
    own,
    ...chosen(items, SHOWN.items, (item) => stepRows(item, run, inner), inner),
    ...(nested ? chosen(nested.steps, SHOWN.steps, (each) => stepRows(each, nested, inner), inner) : []),
  ];
}

/** All if there are not too many, else what failed or is active. */
function chosen(all: readonly StepWhy[], most: number, rowsOf: (step: StepWhy) => Row[], by: string): Row[] {
  if (all.length <= most) return all.flatMap(rowsOf);
  const shown = all.filter(({ record }) => isTelling(record)).slice(0, most);
  const left: Record<string, number> = {};
  for (const each of all) {
    if (!shown.includes(each)) left[each.record.status] = (left[each.record.status] ?? 0) + 1;
  }
  const total = all.length - shown.length;
  const rest = {
    label: `${by}…`,
    status: "",
    does: "",
    text: `${total} more: ${countsText(left, false)}`,
  } as const;
  return hasAny(left) ? [...shown.flatMap(rowsOf), rest] : shown.flatMap(rowsOf);
}

/** Why, how it went, and what a resume would do with it unless that goes without saying. */
function sentence(step: StepWhy, { liveness, status: ofRun, runId, forkedFrom, within }: RunWhy): string {
  const { attempts, record, because, resume } = step;
  const { status, error } = record;
  const last = attempts.at(-1);
  const parts = [last?.shared ? `${because}; shared with ${forkedFrom?.run}` : because];
  if (error !== undefined) {
    const on = record.items ? "failed" : `failed on attempt ${record.attempts}`;
    const may = record.allowed ? ", as it may" : "";
    parts.push(`${on}${may}: ${ownMessage(error, step.run !== null)} [${error.code}]`);
  } else if (record.items) parts.push(itemsText(record.items));
  else if (record.attempts > 1 && status === "succeeded") parts.push(`passed on attempt ${record.attempts}`);
  if (last?.record?.answeredFrom) parts.push(`answered from ${answerText(last.record.answeredFrom)}`);
  else if (last && last.notAnswered !== null) parts.push(`not answered: ${last.notAnswered}`);
  // A nested run is not resumed by itself.
  parts.push(...inputsParts(step, within === "" ? redoCommand(ofRun, runId, step.step) : null));
  // What has to come first is a line of its own; what runs needs no resume.
  const isFirst = resume.does === "blocked" && resume.by.length > 0;
  const isPlain =
    resume.does === "reuse" || isFirst || (resume.does === "adopt" && liveness.state !== "nobody");
  if (!isPlain && resume.because !== because) parts.push(`resume: ${planText(resume)}`);
  return parts.join("; ");
}

/** `3 items: 1 running, 2 passed`. */
export function itemsText({ total, ...counts }: NonNullable<StepRecord["items"]>): string {
  return `${count(total, "item")}: ${countsText(counts, false)}`;
}

/** What of it was taken over, or why its command ran; and what has changed since. `again`: what does it again. */
function inputsParts({ inputs, changedSince }: StepWhy, again: string | null): string[] {
  const parts: string[] = [];
  if (inputs?.reusedFrom) parts.push(`reused from ${placeText(inputs.reusedFrom)}`);
  else if (inputs && inputs.changed.length > 0) parts.push(`ran: ${inputs.changed.join(", ")}`);
  if (inputs && inputs.changedMeanwhile.length > 0)
    parts.push(`can not be reused: ${inputs.changedMeanwhile.join(", ")} while it ran`);
  if (changedSince.length > 0) {
    const how = again === null ? "" : `: ${again} does it again`;
    parts.push(`${changedSince.join(", ")} since${how}`);
  }
  return parts;
}

export function planText({ does, because, attempt, until }: StepPlan): string {
  const time = until === null ? "" : ` at ${localTime(until)}`;
  switch (does) {
    case "reuse":
      return because;
    case "adopt":
      return attempt === null ? because : `takes over attempt ${attempt}: ${because}`;
    case "run":
      return attempt === null ? because : `attempt ${attempt}: ${because}`;
    case "wait":
      return `${attempt === null ? "" : "waits "}${because}${time}`;
    case "blocked":
      return `blocked: ${because}`;
    default:
      return does satisfies never;
  }
}

export function paintPlan(does: StepPlan["does"], text: string): string {
  const c = colors();
  switch (does) {
    case "run":
    case "adopt":
      return c.cyan(text);
    case "wait":
      return c.yellow(text);
    case "blocked":
      return c.red(text);
    case "reuse":
      return c.dim(text);
    default:
      return does satisfies never;
  }
}
