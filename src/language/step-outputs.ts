import { suggest } from "./did-you-mean.ts";
import type { Inside } from "./node.ts";
import type { Problems } from "./report.ts";

/** What a step is known to produce. */
export interface Produced {
  readonly keys: readonly string[];
  /** True if it may produce others too: a command can write any key. */
  readonly isOpen: boolean;
  /** Why an output can not be a list; null if it can. */
  whyNoList(key: string): string | null;
}

/** A text that names an output of a step, as `steps.<step>.outputs.<key>`. */
interface OutputMention {
  readonly step: string;
  readonly key: string;
  readonly at: Inside;
  readonly shown: string;
}

/** A text of step `from` that names `state.<name>`. */
interface StateMention {
  readonly from: number | undefined;
  readonly name: string;
  readonly at: Inside;
  readonly shown: string;
}

interface Found {
  readonly from: number | undefined;
  readonly to: number;
  readonly id: string;
  readonly at: Inside;
}

/** What steps produce, and who names it. A text may name a later step, so it is judged when all have been read. */
export class StepOutputs {
  readonly #problems: Problems;
  readonly #steps: ReadonlyMap<string, number>;
  readonly #produced = new Map<string, Produced>();
  readonly #outputs: OutputMention[] = [];
  readonly #lists: OutputMention[] = [];
  readonly #states: StateMention[] = [];

  constructor(problems: Problems, steps: ReadonlyMap<string, number>) {
    this.#problems = problems;
    this.#steps = steps;
  }

  /** Of a step that could not be read nothing is known, and nothing that is said of it is wrong. */
  declare(step: string, produced: Produced): void {
    if (!this.#produced.has(step)) this.#produced.set(step, produced);
  }

  nameOutput(mention: OutputMention): void {
    this.#outputs.push(mention);
  }

  /** It is to be a list. */
  requireList(mention: OutputMention): void {
    this.#lists.push(mention);
  }

  nameState(mention: StateMention): void {
    this.#states.push(mention);
  }

  /** Reports names that no step produces; returns which steps the names under `state` stand for. */
  judge(): Found[] {
    for (const { step, key, at, shown } of this.#outputs) {
      const produced = this.#produced.get(step);
      if (!produced || produced.isOpen || produced.keys.includes(key)) continue;
      const message = `${shown}: step ${step} has no output "${key}"`;
      this.#problems.add("UNKNOWN_NAME", at, message, suggest(key, produced.keys, "its outputs"));
    }
    for (const { step, key, at, shown } of this.#lists) {
      const produced = this.#produced.get(step);
      if (!produced?.isOpen && !produced?.keys.includes(key)) continue;
      const why = produced.whyNoList(key);
      const hint = `declare it in step ${step}: \`outputs: { ${key}: { type: array } }\``;
      if (why !== null) this.#problems.add("WRONG_TYPE", at, `${shown} is no list: ${why}`, hint);
    }
    return this.#states.flatMap((mention) => this.#judgeState(mention) ?? []);
  }

  #judgeState({ from, name, at, shown }: StateMention): Found | null {
    const readings = this.#readings(name);
    const fitting = readings.filter(({ id, key }) => this.#produced.get(id)?.keys.includes(key) ?? true);
    const [first, second] = fitting;
    if (first && second) {
      const ways = `${first.key} of ${first.id} and ${second.key} of ${second.id}`;
      const hint = "rename one of the outputs";
      this.#problems.add("VARIABLE_CLASH", at, `${shown} would stand for two outputs: ${ways}`, hint);
    } else if (!first) {
      const reading = readings.at(-1);
      const what = reading
        ? `step ${reading.id} declares no output "${reading.key}"`
        : `there is no output "${name}" here, a name is <step>_<key>`;
      this.#problems.add(
        "UNKNOWN_NAME",
        at,
        `${shown}: ${what}`,
        suggest(name, this.#names(), "known names"),
      );
    }
    return first && !second ? { from, to: this.#steps.get(first.id) as number, id: first.id, at } : null;
  }

  /** `<step>_<key>` cut wherever the first part is a step. */
  #readings(name: string): { id: string; key: string }[] {
    const found: { id: string; key: string }[] = [];
    for (let at = name.indexOf("_"); at >= 0; at = name.indexOf("_", at + 1)) {
      const id = name.slice(0, at);
      if (this.#steps.has(id)) found.push({ id, key: name.slice(at + 1) });
    }
    return found;
  }

  #names(): string[] {
    return [...this.#produced].flatMap(([id, { keys }]) => keys.map((key) => `${id}_${key}`));
  }
}
