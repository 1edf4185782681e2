/* What is derived from the journal: run.json (I2, I3, I11) and the attempts' folders (I7). */
import * as fs from "node:fs";
import { isAbsolute, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Report } from "../checker.ts";
import { type Folded, type FoldedStep, fold, statusByItems, unitOf } from "./fold.ts";
import { bytesOf, type Definition, jsonOf, type Loose, nameOf, type Run, sha256 } from "./read.ts";

type Phase = "crashed" | "recovered";

export function checkSnapshot(run: Run, phase: Phase, report: Report): void {
  const { snapshot } = run;
  if (snapshot === null) {
    report("I2", "run.json is no JSON");
    return;
  }
  const { seq, journalBytes } = snapshot.volatile ?? {};
  const lastSeq = run.lines.at(-1)?.seq ?? 0;
  const valid = run.raw.findLast(({ value }) => value !== null)?.end ?? 0;
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(journalBytes)) {
    report("I3", "run.json does not say up to which line it goes");
    return;
  }
  if (seq > lastSeq) report("I3", `run.json goes up to line ${seq}, the journal only to ${lastSeq}`);
  if (journalBytes > valid)
    report("I3", `journalBytes is ${journalBytes}, the journal holds ${valid} valid bytes`);
  const line = run.raw.find(({ value }) => value?.seq === seq);
  if (line && journalBytes < line.end)
    report("I3", `run.json tells of line ${seq} and calls only ${journalBytes} bytes durable`);
  if (phase === "recovered" && seq !== lastSeq) report("I11", `run.json stops at line ${seq} of ${lastSeq}`);
  const state = fold(
    run.definition as Definition,
    run.lines.filter((one) => one.seq <= seq),
  );
  for (const sentence of unlike(snapshot, state)) report("I2", `run.json, line ${seq}: ${sentence}`);
  for (const sentence of pointerFaults(run, snapshot, state))
    report("I2", `run.json, line ${seq}: ${sentence}`);
}

/** Where a snapshot differs from the fold of its prefix. */
function* unlike(snapshot: Loose, state: Folded): Generator<string> {
  for (const key of ["status", "iterations", "inputs", "outputs", "reason"] as const) {
    if (!isDeepStrictEqual(snapshot[key], state[key]))
      yield `${key} is ${show(snapshot[key])}, by the journal ${show(state[key])}`;
  }
  if (snapshot.volatile.epoch !== state.epoch)
    yield `epoch is ${snapshot.volatile.epoch}, by the journal ${state.epoch}`;
  const ids = Object.keys(snapshot.steps ?? {});
  if (!isDeepStrictEqual(ids, [...state.steps.keys()])) yield `its steps are ${ids.join(", ")}`;
  for (const [id, folded] of state.steps) {
    const step = snapshot.steps?.[id] ?? {};
    const items = folded.items ?? [];
    const attempts = items.reduce((sum, item) => sum + item.attempts, folded.attempts);
    const status = folded.status === "iterating" ? statusByItems(folded) : folded.status;
    for (const [key, value] of Object.entries({ status, attempts })) {
      if (step[key] !== value) yield `${key} of ${id} is ${step[key]}, by the journal ${value}`;
    }
    if ((step.items?.total ?? 0) !== items.length)
      yield `items of ${id} are ${show(step.items)}, by the journal ${items.length}`;
    for (const [key, value] of Object.entries<Loose>(step.items ?? {})) {
      const count = items.filter((item) => item.status === key).length;
      if (key !== "total" && value !== count)
        yield `${value} items of ${id} are ${key}, by the journal ${count}`;
    }
    if ((step.decision ?? null) !== folded.decision)
      yield `decision of ${id} is ${step.decision}, by the journal ${folded.decision}`;
    if (!isDeepStrictEqual(step.outputs ?? {}, folded.outputs ?? {}))
      yield `outputs of ${id} are ${show(step.outputs)}`;
    const failed = folded.status === "failed" || folded.status === "retrying";
    if (failed && folded.error && step.error?.code !== folded.error.code)
      yield `error of ${id} is ${show(step.error)}`;
  }
}

const POINTS_AT: Readonly<Record<string, readonly string[]>> = {
  running: ["running"],
  retrying: ["retrying"],
  waiting: ["waiting"],
  due: ["pending", "failed", "canceled"],
};

function* pointerFaults(run: Run, snapshot: Loose, state: Folded): Generator<string> {
  const pointer: Loose[] = snapshot.pointer ?? [];
  const places = pointer.map(({ step, item = -1 }) => ({
    index: state.steps.get(step)?.step.index ?? -1,
    item,
  }));
  if (pointer.some((entry) => unitOf(state, entry) === undefined))
    return yield `the pointer names an unknown step: ${show(pointer)}`;
  const before = (at: number) => places[at - 1] as (typeof places)[number];
  if (
    places.some(({ index, item }, at) => at > 0 && (index - before(at).index || item - before(at).item) <= 0)
  )
    yield `the pointer is not in file order`;
  for (const entry of pointer) {
    const step = unitOf(state, entry) as FoldedStep;
    const ended = run.definition?.shape === "sequence" && state.cursor === "fail";
    if (!POINTS_AT[entry.state]?.includes(step.status) && !ended) {
      yield `the pointer calls ${entry.step} ${entry.state}, it is ${step.status}`;
    }
    const attempt = entry.state === "due" ? step.attempts + 1 : step.attempts;
    if (entry.attempt !== attempt)
      yield `the pointer says attempt ${entry.attempt} of ${entry.step}, it is ${attempt}`;
  }
  const all = [...state.steps.values()].flatMap((step) => [step, ...(step.items ?? [])]);
  const active = all.filter(({ status }) => ["running", "retrying", "waiting"].includes(status));
  if (state.status === "running" && pointer.length < Math.min(100, active.length))
    yield "the pointer misses an active step";
  if (state.status === "succeeded" && pointer.length > 0)
    yield "the pointer of a run that succeeded is not empty";
  if (typeof snapshot.nextExpectedAction !== "string" || snapshot.nextExpectedAction === "")
    yield "nextExpectedAction is empty";
}

/** I7: after recovery each end has an equal `attempt.json`, and outputs that match; no folder is of no attempt. */
export function checkRecords(run: Run, phase: Phase, report: Report): void {
  if (phase !== "recovered") return;
  const known = new Set<string>();
  for (const line of run.lines) {
    if (line.event === "attempt_started") known.add(`${nameOf(line as Loose)}/attempt-${line.attempt}`);
    if (line.event !== "attempt_ended") continue;
    const { record } = line;
    const path = `steps/${nameOf(record)}/attempt-${record.attempt}/attempt.json`;
    const found = jsonOf(bytesOf(join(run.dir, path)));
    if (found === null) report("I7", `${path} is missing or no JSON`);
    else if (!isDeepStrictEqual(found, record)) report("I7", `${path} is not what the journal says`);
    for (const [key, output] of Object.entries<Loose>(record.outputs ?? {})) {
      if (typeof output?.file === "string") checkOutput(run, `${record.step}.${key}`, output, report);
    }
  }
  const steps = join(run.dir, "steps");
  if (!fs.existsSync(steps)) return;
  for (const path of foldersOf(run, steps)) {
    if (!known.has(path)) report("I7", `steps/${path} belongs to no attempt that started`);
  }
}

function foldersOf(run: Run, steps: string): string[] {
  return fs.readdirSync(steps).flatMap((id) => {
    const isFan = run.definition?.steps.some((step) => step.id === id && step.foreach);
    return fs.readdirSync(join(steps, id)).flatMap((name) => {
      if (!isFan || !name.startsWith("item-")) return [`${id}/${name}`];
      return fs.readdirSync(join(steps, id, name)).map((attempt) => `${id}/${name}/${attempt}`);
    });
  });
}

function checkOutput(run: Run, name: string, output: Loose, report: Report): void {
  if (isAbsolute(output.file) || output.file.split("/").includes("..")) {
    report("I7", `output ${name} lies outside of the run: ${output.file}`);
    return;
  }
  const bytes = bytesOf(join(run.dir, output.file));
  if (bytes === null) {
    report("I7", `output ${name}, ${output.file}, is missing`);
    return;
  }
  if (bytes.length !== output.bytes)
    report("I7", `output ${name} has ${bytes.length} bytes and not ${output.bytes}`);
  else if (sha256(bytes) !== output.sha256) report("I7", `output ${name} has another digest`);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "absent";
}
