import type { Problem } from "../core/problem.ts";
import type { GivenInput } from "./inputs.ts";
import type { GivenFile } from "./load.ts";
import { toJson } from "./node.ts";
import { parseYaml } from "./parse.ts";
import { Reader } from "./read.ts";
import { Problems } from "./report.ts";
import { decode } from "./source.ts";

export type ParsedInputFile =
  | { readonly ok: true; readonly inputs: readonly GivenInput[] }
  | { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] };

/** A file of inputs, YAML or JSON, one map from names to values; as strict as workflow files are. */
export function parseInputFile(file: GivenFile): ParsedInputFile {
  const decoded = decode(file.path, file.bytes);
  if (!decoded.ok) return { ok: false, problems: [decoded.problem] };
  const problems = new Problems(decoded.source);
  const node = parseYaml(problems);
  const map = node && new Reader(problems).map(node, "a file of inputs", "write one `name: value` a line");
  const [first, ...rest] = problems.sorted();
  if (first) return { ok: false, problems: [first, ...rest] };
  const inputs = [...(map?.entries ?? [])].map(([name, entry]): GivenInput => {
    return { name, value: toJson(entry.value), from: "file", ...decoded.source.place(entry) };
  });
  return { ok: true, inputs };
}
