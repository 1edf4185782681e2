import { type ParsedDuration, parseDuration } from "../core/duration.ts";
import type { ProblemCode } from "../core/problem.ts";
import { listNames, nearest, suggest } from "./did-you-mean.ts";
import { type Entry, kindOf, type ListNode, type MapNode, type Node, type ScalarNode } from "./node.ts";
import type { Problems } from "./report.ts";

/** A scalar that is text. */
export type TextNode = ScalarNode & { readonly value: string };

/** Which keys a map may have. */
export interface Keys {
  /** `a step`, `the workflow`: what the map is, as messages say it. */
  readonly what: string;
  readonly known: readonly string[];
  /** Keys that are accepted and not read. */
  readonly ignored?: readonly string[];
  /** Keys of other maps of this kind that have no meaning in this one, and why. */
  readonly refused?: readonly RefusedKeys[];
}

export interface RefusedKeys {
  readonly keys: readonly string[];
  readonly why: string;
}

/** Reports every key that does not belong to a map. */
export function checkKeys(map: MapNode, keys: Keys, problems: Problems): void {
  for (const [key, entry] of map.entries) {
    if (keys.known.includes(key) || keys.ignored?.includes(key)) continue;
    const refused = keys.refused?.find((each) => each.keys.includes(key));
    if (refused) problems.add("UNKNOWN_KEY", entry, `${keys.what} can not have \`${key}\``, refused.why);
    else problems.add("UNKNOWN_KEY", entry, `${keys.what} has no key "${key}"`, keyHint(key, keys.known));
  }
}

function keyHint(key: string, known: readonly string[]): string {
  if (key === "<<") return "merge keys are not part of YAML 1.2: write the keys out";
  const near = nearest(key, known);
  return near === null ? `its keys are: ${listNames(known, known.length)}` : `did you mean "${near}"?`;
}

/** Reads values and says what is wrong with them; null stands for a value that was refused. */
export class Reader {
  readonly problems: Problems;

  constructor(problems: Problems) {
    this.problems = problems;
  }

  wrongType(node: Node, what: string, expected: string, hint?: string): null {
    if (node.isRefused) return null;
    const kind = kindOf(node);
    this.problems.add("WRONG_TYPE", node, `${what} must be ${expected}, it is ${kind}`, hint);
    return null;
  }

  map(node: Node, what: string, hint?: string): MapNode | null {
    return node.kind === "map" ? node : this.wrongType(node, what, "a map", hint);
  }

  list(node: Node, what: string): ListNode | null {
    return node.kind === "list" ? node : this.wrongType(node, what, "a list");
  }

  text(node: Node, what: string): TextNode | null {
    if (node.kind === "scalar" && typeof node.value === "string") return node as TextNode;
    const isPlain = node.kind === "scalar" && node.value !== null;
    return this.wrongType(node, what, "text", isPlain ? "put it in quotes" : undefined);
  }

  string(node: Node | undefined, what: string): string | null {
    return node ? (this.text(node, what)?.value ?? null) : null;
  }

  boolean(node: Node | undefined, what: string): boolean | null {
    if (!node) return null;
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    return this.wrongType(node, what, "true or false");
  }

  number(node: Node | undefined, what: string, least: number): number | null {
    if (!node) return null;
    if (node.kind !== "scalar" || typeof node.value !== "number")
      return this.wrongType(node, what, "a number");
    if (node.value >= least) return node.value;
    return this.refuse("BAD_VALUE", node, `${what} must be at least ${least}, it is ${node.value}`);
  }

  integer(node: Node | undefined, what: string, least: number): number | null {
    const value = this.number(node, what, least);
    if (value === null || !node || Number.isSafeInteger(value)) return value;
    return this.refuse("BAD_VALUE", node, `${what} must be a whole number, it is ${value}`);
  }

  /** A number above zero. */
  amount(node: Node | undefined, what: string): number | null {
    const value = this.number(node, what, Number.NEGATIVE_INFINITY);
    if (value === null || !node || value > 0) return value;
    return this.refuse("BAD_VALUE", node, `${what} must be more than 0, it is ${value}`);
  }

  choice<T extends string>(node: Node | undefined, what: string, choices: readonly T[]): T | null {
    const value = this.string(node, what);
    if (value === null || !node) return null;
    if ((choices as readonly string[]).includes(value)) return value as T;
    return this.refuse(
      "BAD_VALUE",
      node,
      `${what} can not be "${value}"`,
      suggest(value, choices, "it can be"),
    );
  }

  /** Text, or a list of texts. */
  texts(node: Node | undefined, what: string): TextNode[] {
    if (!node) return [];
    const items = node.kind === "list" ? node.items : [node];
    return items.flatMap(
      (item) => this.text(item, node.kind === "list" ? `an entry of ${what}` : what) ?? [],
    );
  }

  /** Milliseconds. */
  duration(node: Node | undefined, what: string, least: "zero" | "more" = "more"): number | null {
    if (!node) return null;
    const value = node.kind === "scalar" ? node.value : null;
    const isGiven = typeof value === "string" || typeof value === "number";
    const parsed: ParsedDuration = isGiven
      ? parseDuration(value)
      : { ok: false, message: "is not a duration" };
    const shown = isGiven ? `"${value}" ` : "the value ";
    if (!parsed.ok)
      return this.refuse("BAD_DURATION", node, `${what}: ${shown}${parsed.message}`, DURATION_HINT);
    if (parsed.ms > 0 || least === "zero") return parsed.ms;
    return this.refuse("BAD_DURATION", node, `${what} must be longer than 0`, DURATION_HINT);
  }

  refuse(code: ProblemCode, node: Node, message: string, hint?: string): null {
    this.problems.add(code, node, message, hint);
    return null;
  }

  /** The one of two spellings that is there; both are an error. */
  oneOf(map: MapNode, spelling: string, older: Entry | undefined, olderName: string): Entry | undefined {
    const entry = map.entries.get(spelling);
    if (entry && older) {
      const message = `\`${spelling}\` and \`${olderName}\` are two spellings of one limit`;
      const later = entry.start > older.start ? entry : older;
      this.problems.add("BOTH_SPELLINGS", later, message, "keep one of them");
    }
    return entry ?? older;
  }
}

const DURATION_HINT = "write it as 500ms, 30s, 10m, 1h30m, or as a number of seconds";
