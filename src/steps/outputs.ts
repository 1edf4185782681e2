import { lstatSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import type { Failure, OutputValue, Usage } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { MAX_OUTPUT_BYTES } from "../core/limits.ts";
import { parseOutputFile } from "../core/output-file.ts";
import { renderTemplate } from "../core/template.ts";
import type { OutputDeclaration, Step } from "../core/workflow.ts";
import { replaceFile } from "../store/atomic-file.ts";
import { ATTEMPT_FILES, attemptDir, attemptPath } from "../store/layout.ts";
import {
  type Absent,
  type Artifact,
  checkedFile,
  checkedValue,
  type Found,
  syncFile,
  type Unfit,
  withParents,
} from "./artifact.ts";

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
export function collectUndeclared(runDir: string, at: AttemptName): Collected {
  const file = readOutputFile(join(attemptDir(runDir, at), ATTEMPT_FILES.output));
  if (file === null) return NOTHING;
  if ("failure" in file) return { ...NOTHING, ...file };
  return { ...NOTHING, outputs: toOutputs([...file.values]) };
}

/** Which attempt's outputs are collected. */
export interface OutputPlace {
  readonly runDir: string;
  readonly runId: string;
  readonly step: Step;
  readonly at: AttemptName;
  /** Files that count and their folders are on disk when they are collected. */
  readonly sync: boolean;
}

/** Where the outputs come from that a step does not write as files, and how it is said that they did not pass. */
export interface ValueSource {
  value(declared: OutputDeclaration): Found<{ readonly value: Json }>;
  /** Called before a declared file is looked at: what stands against it, or null. */
  beforeFile(declared: OutputDeclaration, path: string): Unfit | Absent | null;
  /** What was not declared. */
  rest(): readonly (readonly [string, Json])[];
  readonly failure: { readonly sentence: string; readonly hint: string };
}

/**
 * The outputs of an attempt that ended well, checked against what the step declares; one sentence per key that is
 * missing, empty or invalid. With `sync`, files that count and their folders are on disk when this returns.
 */
export async function collectOutputs(place: OutputPlace): Promise<Collected> {
  const file = readOutputFile(join(attemptDir(place.runDir, place.at), ATTEMPT_FILES.output));
  if (file !== null && "failure" in file) return { ...NOTHING, ...file };
  return collectFrom(place, scriptSource(file?.values ?? new Map()));
}

function scriptSource(written: ReadonlyMap<string, string>): ValueSource {
  const left = new Map(written);
  const take = (key: string): string | undefined => {
    left.delete(key);
    return written.get(key);
  };
  return {
    value(declared) {
      const text = take(declared.key);
      if (text === undefined) return { absent: "was not written to $WF_OUTPUT" };
      return text === "" ? { absent: "is empty" } : checkedValue(declared, text);
    },
    beforeFile: ({ key }) =>
      take(key) === undefined
        ? null
        : { problem: "is declared as a file, and was written to $WF_OUTPUT too" },
    rest: () => [...left],
    failure: {
      sentence: "the script succeeded, but its outputs did not pass",
      hint: "a step writes name=value lines to $WF_OUTPUT, and each declared file to the path in $WF_OUTPUT_<NAME>",
    },
  };
}

export async function collectFrom(place: OutputPlace, source: ValueSource): Promise<Collected> {
  const { runDir, step, at, sync } = place;
  const dir = attemptDir(runDir, at);
  const found: [string, OutputValue][] = [];
  const details: Record<string, string> = {};
  const security: string[] = [];
  const folders = new Set<string>();
  let missing = false;
  for (const declared of step.outputs) {
    const { key } = declared;
    const output = await outputOf(place, dir, declared, source);
    if ("unsafe" in output) {
      security.push(`output ${key}: ${output.unsafe}`);
      details[key] = output.unsafe;
    } else if ("absent" in output) {
      if (!declared.required) continue;
      details[key] = output.absent;
      missing = true;
    } else if ("problem" in output) details[key] = output.problem;
    else if ("value" in output) found.push([key, { value: output.value }]);
    else {
      if (sync) syncFile(output.absolute);
      folders.add(dirname(output.absolute));
      const { bytes, sha256 } = output;
      const file = `${attemptPath(at)}/${ATTEMPT_FILES.outputs}/${output.path}`;
      found.push([key, { file, bytes, sha256 }]);
    }
  }
  found.push(...Object.entries(toOutputs(source.rest())));
  if (sync) for (const folder of withParents(folders, dir)) syncFile(folder);
  const outputs = Object.fromEntries(found);
  if (Object.keys(details).length === 0) return { outputs, security };
  const { sentence, hint } = source.failure;
  const code = security.length > 0 ? "OUTPUT_UNSAFE" : missing ? "OUTPUT_MISSING" : "OUTPUT_INVALID";
  const message = `${sentence}: ${sentencesOf(details)}`;
  return { outputs, security, failure: { code, message, hint, details } };
}

/** `plan was not written (plan.md); notes is empty` */
export function sentencesOf(details: Readonly<Record<string, string>>): string {
  return Object.entries(details)
    .map(([key, sentence]) => `${key} ${sentence}`)
    .join("; ");
}

async function outputOf(
  { runId, at }: OutputPlace,
  dir: string,
  declared: OutputDeclaration,
  source: ValueSource,
): Promise<Found<{ readonly value: Json } | (Artifact & { readonly path: string })>> {
  if (declared.file === undefined) return source.value(declared);
  const names = { run_id: runId, step_id: at.step, attempt: at.attempt };
  const path = String(renderTemplate(declared.file, { inputs: {}, steps: {}, workflow: names }));
  const unfit = source.beforeFile(declared, path);
  if (unfit) return unfit;
  const artifact = await checkedFile(dir, declared, path);
  return "absolute" in artifact ? { ...artifact, path } : artifact;
}

/**
 * Puts a value where the step has left no file, whole or not at all; what stands against it, or null. A folder on the
 * way that the step has replaced by a link is not followed.
 */
export function placeOutputFile(dir: string, path: string, text: string, sync: boolean): Unfit | null {
  let folder = join(dir, ATTEMPT_FILES.outputs);
  const names = normalize(path).split("/");
  const file = names.pop() ?? "";
  for (const name of ["", ...names]) {
    folder = join(folder, name);
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (!stat) mkdirSync(folder);
    else if (!stat.isDirectory()) return { unsafe: `the folder of ${path} is a link, or no folder` };
  }
  replaceFile(join(folder, file), text, { sync });
  return null;
}

/** Whether something stands at the path of a declared file, whatever it is. */
export function hasOutputFile(dir: string, path: string): boolean {
  const at = join(dir, ATTEMPT_FILES.outputs, path);
  return lstatSync(at, { throwIfNoEntry: false }) !== undefined;
}

function toOutputs(values: readonly (readonly [string, Json])[]): Record<string, OutputValue> {
  return Object.fromEntries(values.map(([key, value]) => [key, { value }]));
}

export function readOutputFile(path: string): { values: Map<string, string> } | { failure: Failure } | null {
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
