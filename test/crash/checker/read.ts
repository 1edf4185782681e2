/*
 * Reads a run directory from its documented format alone. Nothing here, and nothing it imports, comes from the
 * program: what the program does wrong with its files must not be done wrong here in the same way.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

// biome-ignore lint/suspicious/noExplicitAny: what stands in a damaged file has no type.
export type Loose = any;

export interface Line {
  readonly seq: number;
  readonly at: string;
  readonly epoch: number;
  readonly run: string;
  readonly event: string;
  readonly [key: string]: Loose;
}

export interface RawLine {
  readonly text: string;
  /** Offset of the first byte after it, its newline included. */
  readonly end: number;
  /** It ends with a newline. */
  readonly whole: boolean;
  readonly value: Line | null;
}

export interface Step {
  readonly id: string;
  readonly index: number;
  readonly needs: readonly string[];
  readonly retries: number;
  readonly allowFailure: boolean;
  readonly onInterrupt: "rerun" | "fail";
  readonly next: string | null;
  /** It ends in a decision. */
  readonly gate: boolean;
  /** The decision is a person's, and no process is started. */
  readonly approval: boolean;
  readonly onApprove: string | null;
  readonly onReject: string | null;
  /** It stands under `finally`. */
  readonly last: boolean;
  /** It is done once for each item of a list. */
  readonly foreach: boolean;
  /** Its attempts are runs. */
  readonly nested: boolean;
  /** Keys of the outputs that it declares, or that the workflow it runs has. */
  readonly outputs: readonly string[];
}

/** A step, or an item of one, as it is called in paths and messages. */
export function nameOf({ step, item }: { readonly step: string; readonly item?: number }): string {
  return item === undefined ? step : `${step}/item-${item}`;
}

export interface Definition {
  readonly shape: "sequence" | "graph";
  /** Those of `finally` after all others. */
  readonly steps: readonly Step[];
  /** After a failure it runs what does not depend on it. */
  readonly keepsGoing: boolean;
}

export interface Run {
  readonly dir: string;
  readonly journal: Buffer | null;
  readonly raw: readonly RawLine[];
  /** What a reader sees: lines that can be read, those of an older epoch than one before them dropped. */
  readonly lines: readonly Line[];
  /** The dropped ones. */
  readonly fenced: readonly Line[];
  /** `run.json`, null if it is absent or no JSON. */
  readonly snapshot: Loose;
  readonly definitionBytes: Buffer | null;
  readonly definition: Definition | null;
}

export function readRun(dir: string): Run {
  const journal = bytesOf(join(dir, "progress.ndjson"));
  const raw = journal === null ? [] : split(journal);
  const { lines, fenced } = fence(raw);
  const definitionBytes = bytesOf(join(dir, "workflow.yaml"));
  return {
    dir,
    journal,
    raw,
    lines,
    fenced,
    snapshot: jsonOf(bytesOf(join(dir, "run.json"))),
    definitionBytes,
    definition: definitionBytes === null ? null : define(definitionBytes, lines[0]?.workflow),
  };
}

export function bytesOf(path: string): Buffer | null {
  try {
    return fs.readFileSync(path);
  } catch {
    return null;
  }
}

export function jsonOf(bytes: Buffer | null): Loose {
  try {
    return bytes === null ? null : JSON.parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Every file under a folder, by its path relative to it, sorted; links and odd files too. */
export function filesUnder(dir: string, prefix = ""): string[] {
  if (!fs.existsSync(join(dir, prefix))) return [];
  return fs
    .readdirSync(join(dir, prefix), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      return entry.isDirectory() ? filesUnder(dir, path) : [path];
    });
}

function split(journal: Buffer): RawLine[] {
  const lines: RawLine[] = [];
  for (let start = 0; start < journal.length; ) {
    const newline = journal.indexOf(10, start);
    const end = newline < 0 ? journal.length : newline + 1;
    const text = journal.subarray(start, newline < 0 ? end : newline).toString("utf8");
    lines.push({ text, end, whole: newline >= 0, value: newline < 0 ? null : lineOf(text) });
    start = end;
  }
  return lines;
}

function lineOf(text: string): Line | null {
  try {
    const value = JSON.parse(text) as Loose;
    const [seq, at, epoch, run, event] = Object.keys(value);
    const head = seq === "seq" && at === "at" && epoch === "epoch" && run === "run" && event === "event";
    const fits =
      Number.isSafeInteger(value.seq) && Number.isSafeInteger(value.epoch) && typeof value.event === "string";
    return head && fits && !Number.isNaN(Date.parse(value.at)) ? value : null;
  } catch {
    return null;
  }
}

function fence(raw: readonly RawLine[]): { lines: Line[]; fenced: Line[] } {
  const lines: Line[] = [];
  const fenced: Line[] = [];
  let epoch = 0;
  for (const { value } of raw) {
    if (value === null) continue;
    (value.epoch < epoch ? fenced : lines).push(value);
    epoch = Math.max(epoch, value.epoch);
  }
  return { lines, fenced };
}

function define(bytes: Buffer, of: Loose): Definition | null {
  let file: Loose;
  try {
    file = parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
  let workflow = file?.workflows ? file.workflows.find((one: Loose) => one.id === of?.id) : file;
  for (const id of of?.step?.split("/") ?? []) {
    workflow = workflow?.steps?.find((step: Loose) => step.id === id)?.workflow;
  }
  if (!Array.isArray(workflow?.steps)) return null;
  const main: Loose[] = workflow.steps;
  const last: Loose[] = workflow.finally ?? [];
  const steps = [...main, ...last].map((step: Loose, index): Step => {
    const approval = step.type === "approval" || step.message !== undefined;
    const targets = { onApprove: step.on_approve ?? null, onReject: step.on_reject ?? null };
    return {
      id: step.id,
      index,
      needs: typeof step.needs === "string" ? [step.needs] : (step.needs ?? []),
      retries: step.retry?.max ?? step.limits?.max_retries ?? workflow.limits?.max_retries ?? 0,
      allowFailure: step.allow_failure === true,
      onInterrupt: step.on_interrupt ?? "rerun",
      next: step.next ?? null,
      gate: approval || step.type === "agent_review" || (targets.onApprove ?? targets.onReject) !== null,
      approval,
      ...targets,
      last: index >= main.length,
      foreach: step.foreach !== undefined,
      nested: step.workflow !== undefined,
      outputs: [
        ...Object.keys(step.output_files ?? {}),
        ...keysOf(step.outputs),
        ...keysOf(step.workflow?.outputs),
      ],
    };
  });
  const shape = main.some((step) => step.needs) ? "graph" : "sequence";
  return { shape, steps, keepsGoing: shape === "graph" && workflow.on_failure === "continue" };
}

function keysOf(outputs: Loose): string[] {
  if (Array.isArray(outputs)) return outputs.map((key: string) => key.replace(/\?$/, ""));
  return Object.keys(outputs ?? {});
}

/** The runs that attempts of this one are, by their path in it. */
export function nestedRuns(run: Run): string[] {
  return run.lines.flatMap((line) => {
    if (line.event !== "attempt_started") return [];
    const path = `steps/${nameOf(line as Loose)}/attempt-${line.attempt}/run`;
    return fs.existsSync(join(run.dir, path)) ? [path] : [];
  });
}
