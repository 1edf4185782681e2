import { VARIABLE_PATTERN } from "../core/ids.ts";
import type { Template } from "../core/workflow.ts";
import type { Names } from "./names.ts";
import type { Node } from "./node.ts";
import type { Reader } from "./read.ts";
import type { View } from "./views.ts";

const NONE: Readonly<Record<string, Template>> = {};

/** A map of environment variables. */
export function readEnv(
  node: Node | undefined,
  reader: Reader,
  names: Names,
  view: View,
): Readonly<Record<string, Template>> {
  if (!node) return NONE;
  const found: Record<string, Template> = {};
  const map = reader.map(node, "`env`", "write `env: { NAME: text }`");
  for (const [name, entry] of map?.entries ?? []) {
    const { value } = entry;
    const text = reader.text(value, `\`env\` ${name}`);
    if (!VARIABLE_PATTERN.test(name)) {
      reader.problems.add(
        "BAD_ID",
        entry,
        `"${name}" can not be the name of a variable`,
        "letters, digits and _, not beginning with a digit",
      );
    } else if (name.startsWith("WF_")) {
      reader.problems.add(
        "BAD_VALUE",
        entry,
        `${name} can not be set: variables that begin with WF_ are set by wf`,
        "choose another name",
      );
    } else if (text) found[name] = names.template(text, view);
  }
  return found;
}

const SHELLS: Readonly<Record<string, readonly string[]>> = {
  sh: ["sh", "-e"],
  bash: ["bash", "-eo", "pipefail"],
};

/** `sh`, `bash`, or a program and its arguments; null if it is not given or was refused. */
export function readShell(node: Node | undefined, reader: Reader): readonly string[] | null {
  if (!node) return null;
  if (node.kind !== "list") {
    const name = reader.choice(node, "`shell`", ["sh", "bash"]);
    return name === null ? null : (SHELLS[name] ?? null);
  }
  const parts = reader.texts(node, "`shell`").map((text) => text.value);
  if (parts.length > 0 && parts[0] !== "") return parts;
  return reader.refuse("BAD_VALUE", node, "`shell` must name a program", "such as `[bash, -euo, pipefail]`");
}

export const DEFAULT_SHELL = SHELLS.sh as readonly string[];
