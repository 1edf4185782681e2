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
import type { Failure, OutputValue, Usage } from "../core/event.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { valueFaults } from "../core/json-schema.ts";
import { INLINE_HASH_BYTES, MAX_OUTPUT_BYTES } from "../core/limits.ts";
import { parseOutputFile } from "../core/output-file.ts";
import { renderTemplate } from "../core/template.ts";
import type { OutputDeclaration, Step } from "../core/workflow.ts";
import { ATTEMPT_FILES, attemptDir, attemptPath } from "../store/layout.ts";

export interface Collected {
  readonly outputs: Readonly<Record<string, OutputValue>>;
  readonly failure?: Failure;
  /** What a step did that it may not do, for the journal. */
  readonly security: readonly string[];
  /** Agents only. */
  readonly usage?: Usage;
  /** When a client's limit ends, if it said so; milliseconds since 1970. */
  readonly retryAt?: number;
}

const NOTHING: Collected = { outputs: {}, security: [] };

/** Whether the end of an attempt needs more than a look for `$WF_OUTPUT`: files to hash, schemas to check. */
export function declaresOutputs(step: Step): boolean {
  return step.outputs.length > 0;
}

/** For a step that declares no outputs: what it wrote to `$WF_OUTPUT` all the same. */
export function collectUndeclared(runDir: string, step: Step, attempt: number): Collected {
  const file = readOutputFile(join(attemptDir(runDir, step.id, attempt), ATTEMPT_FILES.output));
  if (file === null) return NOTHING;
  if ("failure" in file) return { ...NOTHING, ...file };
  return { ...NOTHING, outputs: toOutputs([...file.values]) };
}

/**
 * The outputs of an attempt that ended well, checked against what the step declares; one sentence per key that is
 * missing, empty or invalid. With `sync`, files that count and their folders are on disk when this returns.
 */
export async function collectOutputs(
  runDir: string,
  runId: string,
  step: Step,
  attempt: number,
  sync: boolean,
): Promise<Collected> {
  const dir = attemptDir(runDir, step.id, attempt);
  const file = readOutputFile(join(dir, ATTEMPT_FILES.output));
  if (file !== null && "failure" in file) return { ...NOTHING, ...file };
  const written = new Map(file?.values);
  const found: [string, OutputValue][] = [];
  const details: Record<string, string> = {};
  const security: string[] = [];
  const folders = new Set<string>();
  let missing = false;
  const refuse = (key: string, sentence: string) => {
    details[key] = sentence;
  };
  for (const declared of step.outputs) {
    const { key } = declared;
    const text = written.get(key);
    written.delete(key);
    if (declared.file === undefined) {
      if (text === undefined || text === "") {
        if (declared.required) {
          refuse(key, text === "" ? "is empty" : `was not written to $WF_OUTPUT`);
          missing = true;
        }
        continue;
      }
      const value = checkedValue(declared, text);
      if ("problem" in value) refuse(key, value.problem);
      else found.push([key, { value: value.value }]);
      continue;
    }
    if (text !== undefined) {
      refuse(key, "is declared as a file, and was written to $WF_OUTPUT too");
      continue;
    }
    const names = { run_id: runId, step_id: step.id, attempt };
    const path = String(renderTemplate(declared.file, { inputs: {}, steps: {}, workflow: names }));
    const artifact = await checkedFile(dir, declared, path);
    if ("unsafe" in artifact) {
      security.push(`output ${key}: ${artifact.unsafe}`);
      refuse(key, artifact.unsafe);
    } else if ("absent" in artifact) {
      if (!declared.required) continue;
      refuse(key, artifact.absent);
      missing = true;
    } else if ("problem" in artifact) refuse(key, artifact.problem);
    else {
      if (sync) syncFile(artifact.absolute);
      folders.add(dirname(artifact.absolute));
      const relative = `${attemptPath(step.id, attempt)}/${ATTEMPT_FILES.outputs}/${path}`;
      found.push([key, { file: relative, bytes: artifact.bytes, sha256: artifact.sha256 }]);
    }
  }
  found.push(...Object.entries(toOutputs([...written])));
  if (sync) for (const folder of withParents(folders, dir)) syncFile(folder);
  const outputs = Object.fromEntries(found);
  if (Object.keys(details).length === 0) return { outputs, security };
  return { outputs, security, failure: outputsFailure(details, security.length > 0, missing) };
}

function outputsFailure(details: Record<string, string>, unsafe: boolean, missing: boolean): Failure {
  const keys = Object.keys(details);
  const sentences = keys.map((key) => `${key} ${details[key]}`).join("; ");
  return {
    code: unsafe ? "OUTPUT_UNSAFE" : missing ? "OUTPUT_MISSING" : "OUTPUT_INVALID",
    message: `the script succeeded, but its outputs did not pass: ${sentences}`,
    hint: "a step writes name=value lines to $WF_OUTPUT, and each declared file to the path in $WF_OUTPUT_<NAME>",
    details,
  };
}

function toOutputs(values: readonly (readonly [string, string])[]): Record<string, OutputValue> {
  return Object.fromEntries(values.map(([key, value]) => [key, { value }]));
}

function readOutputFile(path: string): { values: Map<string, string> } | { failure: Failure } | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return null;
  const refuse = (code: string, message: string) => ({ failure: { code, message } });
  if (!stat.isFile())
    return refuse("OUTPUT_UNSAFE", "$WF_OUTPUT was replaced by something that is no plain file");
  if (stat.size > MAX_OUTPUT_BYTES) {
    return refuse(
      "OUTPUT_SYNTAX",
      `$WF_OUTPUT holds ${stat.size} bytes; at most ${MAX_OUTPUT_BYTES} are read`,
    );
  }
  const bytes = readFileSync(path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("OUTPUT_SYNTAX", "$WF_OUTPUT is not valid UTF-8");
  }
  const values = parseOutputFile(text);
  if (values instanceof Map) return { values };
  return refuse("OUTPUT_SYNTAX", `line ${values.line} of $WF_OUTPUT: ${values.message}`);
}

type Checked<T> = T | { readonly problem: string };

/** A value is text, and read as JSON where the declared type is not `string`. */
function checkedValue(declared: OutputDeclaration, text: string): Checked<{ value: Json }> {
  const { schema } = declared;
  if (!schema || schema.type === "string") return checkSchema(schema, text);
  try {
    return checkSchema(schema, JSON.parse(text));
  } catch (error) {
    return { problem: `is not the JSON that its schema asks for: ${(error as Error).message}` };
  }
}

function checkSchema(schema: JsonObject | undefined, value: Json): Checked<{ value: Json }> {
  const faults = schema ? valueFaults(schema, value) : [];
  if (faults.length === 0) return { value };
  return { problem: faults.map(({ path, message }) => [...path, message].join(" ")).join(", ") };
}

type Artifact =
  | { readonly absolute: string; readonly bytes: number; readonly sha256: string }
  | { readonly absent: string }
  | { readonly unsafe: string };

async function checkedFile(
  dir: string,
  declared: OutputDeclaration,
  path: string,
): Promise<Checked<Artifact>> {
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
function withParents(folders: ReadonlySet<string>, attempt: string): Set<string> {
  const all = new Set<string>();
  const top = realpathSync(attempt);
  for (let folder of folders) {
    for (; folder.startsWith(top); folder = dirname(folder)) all.add(folder);
  }
  return all;
}

function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
