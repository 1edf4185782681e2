import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";
import type { Json, JsonObject } from "../core/json.ts";
import { valueFaults } from "../core/json-schema.ts";
import { INLINE_HASH_BYTES } from "../core/limits.ts";
import type { OutputDeclaration } from "../core/workflow.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";

export type Unfit = { readonly problem: string } | { readonly unsafe: string };
export interface Absent {
  readonly absent: string;
}
export type Found<T> = T | Unfit | Absent;

export type Checked<T> = T | { readonly problem: string };

/** A value is text, and read as JSON where the declared type is not `string`. */
export function checkedValue(declared: OutputDeclaration, text: string): Checked<{ value: Json }> {
  const { schema } = declared;
  if (!schema || schema.type === "string") return checkSchema(schema, text);
  try {
    return checkSchema(schema, JSON.parse(text));
  } catch (error) {
    return { problem: `is not the JSON that its schema asks for: ${(error as Error).message}` };
  }
}

export function checkSchema(schema: JsonObject | undefined, value: Json): Checked<{ value: Json }> {
  const faults = schema ? valueFaults(schema, value) : [];
  if (faults.length === 0) return { value };
  return { problem: faults.map(({ path, message }) => [...path, message].join(" ")).join(", ") };
}

export interface Artifact {
  readonly absolute: string;
  readonly bytes: number;
  readonly sha256: string;
}

export async function checkedFile(
  dir: string,
  declared: OutputDeclaration,
  path: string,
): Promise<Found<Artifact>> {
  const root = join(dir, ATTEMPT_FILES.outputs);
  const absolute = join(root, path);
  const stat = lstatSync(absolute, { throwIfNoEntry: false });
  if (!stat) return { absent: `was not written (${path})` };
  let real: string;
  try {
    real = realpathSync(absolute);
  } catch {
    return { unsafe: `${path} is a link to nowhere` };
  }
  // Not what `root` resolves to: the step may have put a link in the place of the folder itself.
  if (!real.startsWith(join(realpathSync(dir), ATTEMPT_FILES.outputs) + sep))
    return { unsafe: `${path} is a link that leaves the outputs folder` };
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    fd = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    return { unsafe: `${path} can not be read (${(error as NodeJS.ErrnoException).code})` };
  }
  try {
    const opened = fstatSync(fd);
    if (!opened.isFile()) return { unsafe: `${path} is no plain file` };
    if (opened.size === 0) return { absent: `is empty (${path})` };
    if (declared.parsed && declared.schema) {
      const checked = checkedJsonFile(fd, declared.schema);
      if (checked !== null) return { problem: `${checked} (${path})` };
    }
    return { absolute: real, ...(await digest(fd, real, opened.size)) };
  } finally {
    closeSync(fd);
  }
}

function checkedJsonFile(fd: number, schema: JsonObject): string | null {
  try {
    const checked = checkSchema(schema, JSON.parse(readFileSync(fd, "utf8")));
    return "problem" in checked ? checked.problem : null;
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`;
  }
}

async function digest(fd: number, path: string, size: number): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  if (size <= INLINE_HASH_BYTES) {
    const content = readFileSync(path);
    return { bytes: content.length, sha256: hash.update(content).digest("hex") };
  }
  for await (const chunk of createReadStream("", { fd, autoClose: false, start: 0 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** The folders, and those between them and the attempt's own. */
export function withParents(folders: ReadonlySet<string>, attempt: string): Set<string> {
  const all = new Set<string>();
  const top = realpathSync(attempt);
  for (let folder of folders) {
    for (; folder.startsWith(top); folder = dirname(folder)) all.add(folder);
  }
  return all;
}

export function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
