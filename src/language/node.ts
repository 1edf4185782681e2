import type { Json } from "../core/json.ts";
import type { SourceText, Span } from "./source.ts";

/** A file as a tree that remembers where everything stood; aliases are resolved, keys are unique. */
export type Node = ScalarNode | ListNode | MapNode;

interface Place extends Span {
  /** Present if something about it was wrong and has been reported: no more is to be said of its type. */
  readonly isRefused?: true;
}

export interface ScalarNode extends Place {
  readonly kind: "scalar";
  readonly value: null | boolean | number | string;
  readonly style: "plain" | "single" | "double" | "block";
  /** Present if the value is the whole text of another file. */
  readonly source?: SourceText;
}

export interface ListNode extends Place {
  readonly kind: "list";
  readonly items: readonly Node[];
}

export interface MapNode extends Place {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Entry>;
}

/** `start` and `end` are its key's. */
export interface Entry extends Span {
  readonly value: Node;
}

/** A text inside a scalar's value: from and to count in the value, not in the file. */
export interface Inside {
  readonly node: ScalarNode;
  readonly from: number;
  readonly to: number;
}

/** What a value is, as messages say it. */
export function kindOf(node: Node): string {
  if (node.kind !== "scalar") return node.kind === "list" ? "a list" : "a map";
  if (node.value === null) return "empty";
  if (typeof node.value === "string") return "text";
  return typeof node.value === "number" ? "a number" : "true or false";
}

/** The plain value. No key of a `MapNode` is one that could reach a prototype. */
export function toJson(node: Node): Json {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toJson);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toJson(entry.value)]));
}

/** The node at the end of a path of keys and indexes, or the last one that exists on the way. */
export function nodeAt(node: Node, path: readonly string[]): Node {
  let at = node;
  for (const segment of path) {
    const next: Node | undefined =
      at.kind === "list"
        ? at.items[Number(segment)]
        : at.kind === "map"
          ? at.entries.get(segment)?.value
          : undefined;
    if (!next) return at;
    at = next;
  }
  return at;
}
