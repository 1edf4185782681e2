import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { secretVariable } from "../core/ids.ts";
import { WfError } from "../core/problem.ts";

/**
 * `name=@file`, `name=@-` for standard input; one newline at the end is cut. Raises USAGE, INPUT_REPEATED,
 * INPUT_INVALID, FILE_NOT_FOUND, FILE_UNREADABLE.
 */
export function secretsFromArguments(texts: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const text of texts) {
    const [, name, file] = /^([^=@]+)=@(.+)$/s.exec(text) ?? [];
    if (name === undefined || file === undefined) {
      const before = /^[^=]*/.exec(text)?.[0] ?? "";
      throw new WfError({
        code: "USAGE",
        // Whatever comes after may be the secret itself.
        message: `--secret ${before}${text.includes("=") ? "=…" : ""} is not of the form name=@file`,
        hint: `arguments can be read by everybody on the machine; use a file, or the variable ${secretVariable(before || "name")}`,
      });
    }
    if (Object.hasOwn(found, name)) {
      throw new WfError({ code: "INPUT_REPEATED", message: `the secret "${name}" is given more than once` });
    }
    found[name] = readSecret(name, file);
  }
  return found;
}

function readSecret(name: string, file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new WfError({ code: "FILE_NOT_FOUND", message: `there is no file ${file}` });
    throw new WfError({ code: "FILE_UNREADABLE", message: `${file} can not be read: ${code}` });
  }
  if (!isUtf8(bytes))
    throw new WfError({ code: "INPUT_INVALID", message: `the secret "${name}" is not UTF-8 text` });
  return bytes.toString("utf8").replace(/\r?\n$/, "");
}
