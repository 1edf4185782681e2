import { globFault, hasWildcard } from "../core/glob.ts";
import { scanTemplate } from "../core/template.ts";
import type { InputFiles } from "../core/workflow.ts";
import type { Node } from "./node.ts";
import { checkKeys, type Reader, type TextNode } from "./read.ts";

const ABSENT_KEYS = { what: "an entry of `input_files`", known: ["absent"] };
const HINT = "paths are relative to the project folder, with / between folders";

/** A step's `input_files`: globs, and files that must not be there. */
export function readInputFiles(node: Node | undefined, reader: Reader): InputFiles | null {
  if (!node) return null;
  if (node.kind !== "list")
    return reader.wrongType(node, "`input_files`", "a list", "write `input_files: [src/**, package.json]`");
  const globs: string[] = [];
  const absent: string[] = [];
  for (const item of node.items) {
    if (item.kind === "map") {
      const path = readAbsent(item, reader);
      if (path !== null) absent.push(path);
      continue;
    }
    const text = reader.text(item, "an entry of `input_files`");
    if (text && isGlob(text, reader)) globs.push(text.value);
  }
  if (globs.length > 0 && globs.every((glob) => glob.startsWith("!"))) {
    const hint = "write the files that it reads before those that it does not: [src/**, '!src/gen/**']";
    return reader.refuse("BAD_VALUE", node, "`input_files` only takes files away", hint);
  }
  return { globs, absent };
}

function readAbsent(item: Node & { kind: "map" }, reader: Reader): string | null {
  checkKeys(item, ABSENT_KEYS, reader.problems);
  const node = item.entries.get("absent")?.value;
  const text = node && reader.text(node, "`absent`");
  if (!node && item.entries.size === 0) {
    reader.problems.add(
      "MISSING_KEY",
      item,
      "an entry of `input_files` is empty",
      "write a glob, or `absent: path`",
    );
  }
  if (!text || !isGlob(text, reader)) return null;
  if (!hasWildcard(text.value) && !text.value.startsWith("!")) return text.value;
  const hint = "name the one file that must not be there; more of them are more entries";
  return reader.refuse("BAD_VALUE", text, `\`absent\` can not be a glob: "${text.value}"`, hint);
}

function isGlob(text: TextNode, reader: Reader): boolean {
  for (const piece of scanTemplate(text.value)) {
    if (piece.kind === "text") continue;
    const hint = "write a glob for all the files that may be meant";
    const at = { node: text, from: piece.start, to: piece.end };
    reader.problems.add("BAD_TEMPLATE", at, "`input_files` can not hold templates", hint);
    return false;
  }
  const fault = globFault(text.value.replace(/^!/, ""));
  if (fault) reader.problems.add("BAD_VALUE", text, `\`input_files\`: "${text.value}" ${fault}`, HINT);
  return fault === null;
}
