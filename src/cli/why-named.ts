import { type AttemptName, nameWithin } from "../core/ids.ts";
import { viewNested } from "../review/inside.ts";
import { isTelling } from "../review/tree.ts";
import type { CurrentView } from "../review/view.ts";
import { type Look, whyRun } from "../review/why.ts";
import type { RunWhy, StepWhy } from "../review/why-told.ts";
import { type Link, type Named, nameOfNamed } from "./step-name.ts";

/** What a name stands for: a step or an item, in the run that it is of. */
export interface WhyNamed {
  readonly run: RunWhy;
  /** The run that the name begins in. */
  readonly outermost: RunWhy;
  readonly step: StepWhy;
  /** The one that was named; undefined: all of them. */
  readonly attempt: number | undefined;
}

/** Tells of a step however deep it lies, from the outermost run on: what becomes of it depends on those around it. */
export async function whyNamed(
  view: CurrentView,
  named: Named,
  look: Omit<Look, "into">,
  within: string,
): Promise<WhyNamed> {
  const target = nameWithin(within, { step: nameOfNamed(named) });
  const into: Look["into"] = ({ name, record }) =>
    target === name || target.startsWith(`${name}/`) || (name.startsWith(`${target}/`) && isTelling(record));
  const outermost = await whyRun(view, { ...look, into }, within);
  let run = outermost;
  for (const [index, link] of named.links.entries()) {
    const step = stepIn(run, link);
    if (index === named.links.length - 1) return { run, outermost, step, attempt: link.attempt };
    run = await runIn(run, step, link, { ...look, into });
  }
  throw new Error(`${target} names nothing`);
}

function stepIn({ steps }: RunWhy, { step, item }: Link): StepWhy {
  const own = steps.find((each) => each.step === step);
  const found = item === undefined ? own : own?.items[item];
  if (!found) throw new Error(`nothing is known of ${step}`);
  return found;
}

/** The run of an attempt; of one that others came after nothing more comes. */
async function runIn({ runDir }: RunWhy, step: StepWhy, { attempt }: Link, look: Look): Promise<RunWhy> {
  const newest = step.attempts.at(-1)?.attempt ?? 0;
  if (step.run && (attempt === undefined || attempt === newest)) return step.run;
  const name: AttemptName = { step: step.step, item: step.item, attempt: attempt ?? newest };
  const nested = await viewNested(runDir, name);
  if (nested === null) throw new Error(`${step.name} has no run`);
  const because = `attempt ${name.attempt} of ${step.name} is over, and attempt ${newest} came after it`;
  return await whyRun(nested, look, `${step.name}/${name.attempt}`, { is: "left", because });
}
