import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject } from "../core/json.ts";
import { filesOf } from "../core/output-value.ts";
import { renderTemplate, TemplateError } from "../core/template.ts";
import type { ApprovalStep } from "../core/workflow.ts";
import { createExclusive, syncDir } from "../store/atomic-file.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { type AttemptContext, PreparationError } from "./prepare.ts";
import { attemptScope, pathsOf } from "./scope.ts";

/** `gate.json`: what a person is shown and decides on. */
export interface GateRecord {
  readonly step: string;
  readonly attempt: number;
  readonly message: string;
  /** Artifacts that the message names. */
  readonly shows: readonly { readonly file: string; readonly sha256: string }[];
  /** Of the message and of what it shows; a decision repeats it. */
  readonly digest: string;
  /** A decision repeats it too: one that was made for another gate does not fit. */
  readonly volatile: { readonly nonce: string };
}

export function gateDigest(message: unknown, shows: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([message, shows]))
    .digest("hex");
}

/** Renders what an approval shows; raises `PreparationError`. Artifacts are named by their path in the run. */
export function prepareGate(context: Omit<AttemptContext<ApprovalStep>, "base" | "cookie">): GateRecord {
  const { state, node, step, attempt } = context;
  const paths = [...pathsOf([step.message])];
  let message: string;
  try {
    const scope = attemptScope(state, { ...context.places, runDir: "" }, node, attempt, paths);
    message = String(renderTemplate(step.message, scope) ?? "");
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new PreparationError({ code: "TEMPLATE_ERROR", message: error.message });
  }
  const shows = paths.flatMap(({ segments: [root, id, , key] }) => {
    const index = root === "steps" && id !== undefined ? state.indexOf.get(id) : undefined;
    const output = index === undefined ? undefined : state.steps[index]?.outputs[key ?? ""];
    // As they are now: somebody may have edited them since they were made, and that is what is decided on.
    return [...(output ? filesOf(output) : [])].map(({ file, sha256 }) => ({
      file,
      sha256: digestOf(join(context.places.runDir, file)) ?? sha256,
    }));
  });
  return {
    step: step.id,
    attempt,
    message,
    shows,
    digest: gateDigest(message, shows),
    volatile: { nonce: randomBytes(8).toString("hex") },
  };
}

/** Puts the gate in its place, durable before anybody is told of it; one that stands there is left. */
export function openGate(dir: string, gate: GateRecord, sync: boolean): void {
  if (createExclusive(join(dir, ATTEMPT_FILES.gate), formatRecord(gate), { sync }) && sync) syncDir(dir);
}

/** Null if there is none, or none that can be read. */
export function readGate(dir: string): GateRecord | null {
  try {
    const gate: unknown = JSON.parse(readFileSync(join(dir, ATTEMPT_FILES.gate), "utf8"));
    if (!isJsonObject(gate) || !isJsonObject(gate.volatile) || !Array.isArray(gate.shows)) return null;
    return gate as unknown as GateRecord;
  } catch {
    return null;
  }
}

/** The artifacts that are not any more what the gate showed; paths relative to the run. */
export function changedSince(runDir: string, gate: GateRecord): string[] {
  return gate.shows
    .filter(({ file, sha256 }) => digestOf(join(runDir, file)) !== sha256)
    .map(({ file }) => file);
}

function digestOf(path: string): string | null {
  return existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : null;
}
