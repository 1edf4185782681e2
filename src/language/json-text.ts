import type { Json } from "../core/json.ts";
import { toJson } from "./node.ts";
import { parseYaml } from "./parse.ts";
import { Problems } from "./report.ts";
import { decode } from "./source.ts";

export type ParsedJson =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly message: string };

/**
 * JSON text, read with the strictness of files: repeated keys, keys that could reach a prototype and numbers that
 * would be rounded are errors.
 */
export function parseJson(text: string): ParsedJson {
  try {
    JSON.parse(text);
  } catch (error) {
    return {
      ok: false,
      message: error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error),
    };
  }
  const decoded = decode("", Buffer.from(text));
  if (!decoded.ok) return { ok: false, message: decoded.problem.message };
  // JSON is YAML, whose parser knows how each number was written.
  const problems = new Problems(decoded.source);
  const node = parseYaml(problems);
  const [problem] = problems.sorted();
  return problem || !node
    ? { ok: false, message: problem?.message ?? "it is empty" }
    : { ok: true, value: toJson(node) };
}
