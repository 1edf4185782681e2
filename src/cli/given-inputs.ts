import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { type Problem, WfError } from "../core/problem.ts";
import type { GivenInput } from "../engine/api.ts";
import { errnoOf, ioError } from "../store/io-error.ts";

/**
 * `k=v`, `k=@file`, `k=@-` for standard input, `k=@@x` for a value that begins with `@`. Raises USAGE,
 * INPUT_REPEATED, INPUT_INVALID, FILE_NOT_FOUND, all of them at once.
 */
export function argumentInputs(given: readonly string[]): GivenInput[] {
  const inputs: GivenInput[] = [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  let stdinFor: string | undefined;
  for (const text of given) {
    const equals = text.indexOf("=");
    if (equals < 1) {
      problems.push({
        code: "USAGE",
        message: `--input ${JSON.stringify(text)} is not of the form name=value`,
        hint: "for a value from a file: name=@file; from standard input: name=@-",
      });
      continue;
    }
    const name = text.slice(0, equals);
    const value = text.slice(equals + 1);
    if (seen.has(name)) {
      problems.push({ code: "INPUT_REPEATED", message: `the input "${name}" is given more than once` });
      continue;
    }
    seen.add(name);
    if (value === "@-" && stdinFor !== undefined) {
      const message = `standard input can be the value of one input, not of ${stdinFor} and ${name}`;
      problems.push({ code: "USAGE", message });
      continue;
    }
    if (value === "@-") stdinFor = name;
    try {
      inputs.push({ name, value: textOf(name, value), from: "argument" });
    } catch (error) {
      if (!(error instanceof WfError)) throw error;
      problems.push(...error.problems);
    }
  }
  const [first, ...rest] = problems;
  if (first !== undefined) throw new WfError([first, ...rest]);
  return inputs;
}

/** The members of a JSON or YAML file, `-` for standard input. */
export async function fileInputs(path: string | undefined): Promise<readonly GivenInput[]> {
  if (path === undefined) return [];
  const { parseInputFile } = await import("../language/input-file.ts");
  const parsed = parseInputFile({ path, bytes: readBytes(path === "-" ? 0 : path, path) });
  if (!parsed.ok) throw new WfError(parsed.problems);
  return parsed.inputs;
}

function textOf(name: string, value: string): string {
  if (!value.startsWith("@")) return value;
  if (value.startsWith("@@")) return value.slice(1);
  const source = value.slice(1);
  const bytes = readBytes(source === "-" ? 0 : source, source);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const what = source === "-" ? "standard input" : source;
  throw new WfError({ code: "INPUT_INVALID", message: `the value of "${name}", ${what}, is not UTF-8 text` });
}

function readBytes(source: string | 0, name: string): Buffer {
  try {
    return readFileSync(source);
  } catch (error) {
    if (source === 0 && errnoOf(error) === "EOF") return Buffer.alloc(0);
    if (errnoOf(error) === "ENOENT") {
      throw new WfError({ code: "FILE_NOT_FOUND", message: `there is no file ${name}` });
    }
    if (source === 0) throw ioError(error, "read standard input");
    throw new WfError({ code: "FILE_UNREADABLE", message: ioError(error, `read ${name}`).message });
  }
}
