import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { exactNumber } from "../core/number.ts";
import type { Entry, Node, ScalarNode } from "./node.ts";
import type { Problems } from "./report.ts";
import type { Span } from "./source.ts";

/** How many nodes all aliases of a file may stand for together. */
const MAX_ALIASED_NODES = 10_000;
const MAX_DEPTH = 100;

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

interface Anchored {
  readonly node: Node | null;
  /** Nodes in it, aliases put in place. */
  readonly size: number;
}

/** Makes the parsed document a tree of our own: aliases put in place, keys unique, every value one that JSON can hold. */
export class TreeBuilder {
  readonly #problems: Problems;
  /** Items of lists that were built before the list, by its offset. */
  readonly #pieces = new Map<number, Node[]>();
  /** By name; while its node is being built, an anchor's node is null. */
  readonly #anchors = new Map<string, Anchored>();
  readonly #keys = new Map<string, string>();
  #size = 0;
  #aliased = 0;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  build(node: ParsedNode | null, depth: number, at?: Span): Node {
    if (node === null) return emptyAt(at ?? { start: 0, end: 0 });
    if (depth > MAX_DEPTH) {
      const message = `values are nested more than ${MAX_DEPTH} deep`;
      this.#problems.add("YAML_SYNTAX", spanOf(node), message);
      return refusedAt(spanOf(node));
    }
    if (isAlias(node)) return this.#alias(node.source, spanOf(node));
    const anchor = node.anchor;
    if (anchor === undefined) return this.#plain(node, depth);
    const before = this.#size;
    this.#anchors.set(anchor, { node: null, size: 0 });
    const built = this.#plain(node, depth);
    this.#anchors.set(anchor, { node: built, size: this.#size - before });
    return built;
  }

  /** The next items of the list at this offset, which itself is built later. `depth`: theirs. */
  addPiece(offset: number, items: readonly ParsedNode[], depth: number): void {
    const pieces = this.#pieces.get(offset) ?? [];
    this.#pieces.set(offset, pieces);
    for (const item of items) pieces.push(this.build(item, depth));
  }

  #alias(name: string, span: Span): Node {
    const anchored = this.#anchors.get(name);
    if (!anchored) {
      const hint = "text that begins with * must be put in quotes";
      this.#problems.add("YAML_ALIAS", span, `there is no anchor &${name} before this alias`, hint);
      return refusedAt(span);
    }
    if (anchored.node === null) {
      this.#problems.add("YAML_ALIAS", span, `the alias *${name} stands inside of what it repeats`);
      return refusedAt(span);
    }
    this.#size += anchored.size;
    this.#aliased += anchored.size;
    if (this.#aliased <= MAX_ALIASED_NODES) return anchored.node;
    if (this.#aliased - anchored.size <= MAX_ALIASED_NODES) {
      const message = `the aliases of this file repeat more than ${MAX_ALIASED_NODES} values`;
      this.#problems.add("YAML_ALIAS", span, message, "write the values out, or pass them as an input");
    }
    return refusedAt(span);
  }

  #plain(node: ParsedNode, depth: number): Node {
    this.#size++;
    if (!this.#checkTag(node)) return refusedAt(spanOf(node));
    if (isMap(node)) return this.#map(node as YAMLMap.Parsed, depth);
    if (isSeq(node)) {
      const items = this.#pieces.get(node.range[0]) ?? [];
      for (const item of (node as YAMLSeq.Parsed).items) {
        items.push(this.build(item as ParsedNode, depth + 1, spanOf(node)));
      }
      const { start, end } = spanOf(node);
      return { kind: "list", items: items.length > 0 ? items : NO_ITEMS, start, end };
    }
    return this.#scalar(node as Scalar.Parsed);
  }

  #map(node: YAMLMap.Parsed, depth: number): Node {
    const entries = new Map<string, Entry>();
    let isRefused = false;
    for (const pair of node.items as Pair<ParsedNode, ParsedNode | null>[]) {
      const span = spanOf(pair.key ?? node);
      const key = this.#key(pair.key);
      const value = this.build(pair.value, depth + 1, { start: span.end, end: span.end });
      if (key === null) {
        isRefused = true;
        continue;
      }
      if (FORBIDDEN_KEYS.has(key)) {
        this.#problems.add("FORBIDDEN_KEY", span, `"${key}" can not be used as a key`, "choose another name");
      } else if (entries.has(key)) {
        const first = this.#problems.source.place(entries.get(key) ?? span).position.line;
        this.#problems.add("DUPLICATE_KEY", span, `"${key}" stands here twice; first in line ${first}`);
      } else entries.set(key, { value, start: span.start, end: span.end });
    }
    const { start, end } = spanOf(node);
    return isRefused ? { kind: "map", entries, isRefused, start, end } : { kind: "map", entries, start, end };
  }

  /** `1` and `"1"` are the same key: JSON knows no other keys than text. */
  #key(node: ParsedNode): string | null {
    if (isScalar(node)) {
      this.#checkTag(node);
      return this.#once(typeof node.value === "string" ? node.value : (node.source ?? ""));
    }
    if (isAlias(node)) this.#problems.add("YAML_ALIAS", spanOf(node), "an alias can not be a key");
    else {
      const hint = isMap(node) ? "a value that begins with {{ must be put in quotes" : undefined;
      this.#problems.add("YAML_SYNTAX", spanOf(node), "a key must be text, not a list or a map", hint);
    }
    return null;
  }

  /** Keys are mostly the same few: each of them is in memory once. */
  #once(key: string): string {
    const known = this.#keys.get(key);
    if (known === undefined) this.#keys.set(key, key);
    return known ?? key;
  }

  #scalar(node: Scalar.Parsed): ScalarNode {
    // No literal with a spread: what comes from one V8 keeps in an array beside the object, in as much memory again.
    const span = spanOf(node);
    const { start, end } = span;
    const style = STYLES[node.type ?? "PLAIN"] ?? "plain";
    const value = node.value as unknown;
    if (typeof value === "number") {
      const exact = exactNumber(node.source ?? "");
      if (exact !== null) return { kind: "scalar", value: exact, style, start, end };
      const isRounded = Number.isFinite(value);
      const message = isRounded
        ? `${node.source} would be rounded to ${value}`
        : `${node.source} is not a number that JSON can hold`;
      this.#problems.add("NUMBER_UNSAFE", span, message, "put it in quotes if it is meant as text");
      return { kind: "scalar", value: 0, style, isRefused: true, start, end };
    }
    if (value === null || typeof value === "boolean" || typeof value === "string")
      return { kind: "scalar", value, style, start, end };
    return refusedAt(span);
  }

  #checkTag(node: ParsedNode): boolean {
    const tag = node.tag;
    if (tag === undefined || tag === "!") return true;
    const name = tag.replace("tag:yaml.org,2002:", "!!");
    const kind = isMap(node) ? "map" : isSeq(node) ? "seq" : TAG_OF_TYPE[typeof (node as Scalar).value];
    if (name === `!!${kind}` || (kind === "int" && name === "!!float")) return true;
    const start = this.#problems.source.text.lastIndexOf(name, node.range[0]);
    const span = start < 0 ? spanOf(node) : { start, end: start + name.length };
    this.#problems.add("YAML_TAG", span, `the tag ${name} is not supported`, "remove it; put text in quotes");
    return false;
  }
}

const NO_ITEMS: readonly Node[] = [];

const TAG_OF_TYPE: Readonly<Record<string, string>> = {
  string: "str",
  number: "int",
  boolean: "bool",
  object: "null",
};

const STYLES: Readonly<Record<string, ScalarNode["style"]>> = {
  PLAIN: "plain",
  QUOTE_SINGLE: "single",
  QUOTE_DOUBLE: "double",
  BLOCK_LITERAL: "block",
  BLOCK_FOLDED: "block",
};

function spanOf(node: ParsedNode): Span {
  const [start, end] = node.range;
  return { start, end: Math.max(start, end) };
}

function emptyAt(span: Span): ScalarNode {
  return { kind: "scalar", value: null, style: "plain", start: span.start, end: span.end };
}

/** Stands for a value that was refused. */
function refusedAt(span: Span): ScalarNode {
  return { ...emptyAt(span), isRefused: true };
}
