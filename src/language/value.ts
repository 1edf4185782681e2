import type { Json } from "../core/json.ts";
import type { Template, ValueTemplate } from "../core/workflow.ts";
import type { Names } from "./names.ts";
import { type Node, toJson } from "./node.ts";
import type { TextNode } from "./read.ts";
import type { View } from "./views.ts";

/** A value in which every text may be a template; a part without any is a literal as a whole. */
export function readValue(node: Node, view: View, names: Names): ValueTemplate {
  if (node.kind === "list") {
    const list = node.items.map((item) => readValue(item, view, names));
    const literals = literalsOf(list);
    return literals ? { literal: literals } : { list };
  }
  if (node.kind === "map") {
    const keys = [...node.entries.keys()];
    const values = [...node.entries.values()].map(({ value }) => readValue(value, view, names));
    const literals = literalsOf(values);
    return literals ? { literal: zip(keys, literals) } : { map: zip(keys, values) };
  }
  if (typeof node.value !== "string") return { literal: toJson(node) };
  const template = names.template(node as TextNode, view);
  return hasPath(template) ? { template } : { literal: template.parts.join("") };
}

/** Null if one of them is none. */
function literalsOf(values: readonly ValueTemplate[]): readonly Json[] | null {
  const found = values.flatMap((value) => ("literal" in value ? [value.literal] : []));
  return found.length === values.length ? found : null;
}

function zip<T>(keys: readonly string[], values: readonly T[]): Record<string, T> {
  return Object.fromEntries(keys.map((key, index) => [key, values[index] as T]));
}

function hasPath({ parts }: Template): boolean {
  return parts.some((part) => typeof part !== "string");
}
