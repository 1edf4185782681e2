import { parseDecision } from "../core/decision.ts";
import type { AttemptRecord, JournalLine } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { RunRecord } from "../core/record.ts";
import type { NestedStep, Step, Workflow } from "../core/workflow.ts";
import { nestedOutputs } from "../steps/nested.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import type { AttemptsContext, KnownAttempt } from "./verify-attempts.ts";
import type { Pass } from "./verify-pass.ts";
import { differences } from "./verify-snapshot.ts";

/** Looks at the run in that folder of the run; null if that is not asked for. */
export type LookInto = (folder: string) => Pass | null;

type Created = JournalLine & { readonly event: "run_created" };

/** Ends that an attempt can have come to only by its run. */
const BY_RUN: ReadonlySet<string> = new Set([
  "NESTED_FAILED",
  "OUTPUT_MISSING",
  "OUTPUT_INVALID",
  "BAD_DECISION",
]);

/** The run that an attempt is: all that holds for a run holds for it, and it agrees with the attempt's record. */
export function checkNested(
  context: AttemptsContext,
  known: KnownAttempt,
  step: Step | undefined,
  path: string,
  isThere: boolean,
): void {
  const { findings } = context;
  const folder = `${path}/${ATTEMPT_FILES.run}`;
  if (step && step.type !== "workflow") {
    if (isThere)
      findings.damage("known-names", folder, "the step runs no workflow", { repair: "quarantine" });
  } else if (!isThere) {
    if (step && known.started) missing(context, known, folder);
  } else {
    const pass = context.lookInto(folder);
    if (step && pass) checkAgreement(context, known, step, pass, folder);
  }
}

function missing({ findings, claims }: AttemptsContext, { ended }: KnownAttempt, folder: string): void {
  if (ended === null) {
    // It is made after the attempt's start is in the journal.
    findings.unless(claims.diedOrLives(claims.latest), "nested-run", folder, "it is missing");
    return;
  }
  const { status, error } = ended.record;
  if (status !== "succeeded" && !BY_RUN.has(error?.code ?? "")) return;
  findings.unless(claims.mayHaveLostPower(ended.epoch), "nested-run", folder, "it is missing");
}

function checkAgreement(
  context: AttemptsContext,
  known: KnownAttempt,
  step: NestedStep,
  { lines: [created], record, workflow, trusted: isTrusted }: Pass,
  folder: string,
): void {
  const { findings, trusted } = context;
  if (created?.event !== "run_created") return;
  const differ = (message: string) => findings.damage("nested-run", folder, message);
  const { parent } = created;
  if (parent?.step !== known.step || parent.item !== known.item)
    differ(`it is the run of ${parent ? placeName(parent) : "no step"}, by the first line of its journal`);
  else if (parent.attempt > known.attempt) differ(`it is the run of a later attempt, ${parent.attempt}`);
  if (trusted) checkWhichDefinition(context, known, created, workflow !== null, folder);
  if (known.ended === null || record === null || workflow === null || !isTrusted) return;
  const { seq, record: attempt } = known.ended;
  for (const fault of endFaults(step, attempt, record, workflow)) {
    findings.damage("nested-run", folder, `${fault} (line ${seq} of the journal around it)`);
  }
}

/** It began with what its step ran when its attempt started; a copy of an earlier attempt's, when that did. */
function checkWhichDefinition(
  { findings, definitions, attempts, files }: AttemptsContext,
  known: KnownAttempt,
  { parent, workflow }: Created,
  isWhole: boolean,
  folder: string,
): void {
  const began = attempts.of.get(placeName(known))?.get(parent?.attempt ?? known.attempt) ?? known;
  const due = definitions.nestedAt(known.step, began.started?.seq ?? 0);
  if (due?.id !== workflow.id) {
    findings.damage(
      "nested-run",
      folder,
      `its definition, ${workflow.id}, is not the one that the step runs`,
    );
    return;
  }
  // A run that has its own, of the recorded digest, says that the copy around it is another.
  if (isWhole && files.digest(due.path)?.sha256 !== workflow.sha256)
    findings.damage("definition-files", due.path, `it is not the definition of the run in ${folder}`);
}

/** Where a nested run's end and the record of its attempt say different things. */
function endFaults(
  step: NestedStep,
  attempt: AttemptRecord,
  run: RunRecord,
  workflow: Workflow,
): readonly string[] {
  const { status, error } = attempt;
  const code = error?.code ?? "";
  const isDone = run.status === "succeeded";
  const is = `the run is ${run.status}, and its attempt ${status}`;
  if (status === "failed" && code !== "NESTED_FAILED") return BY_RUN.has(code) && !isDone ? [is] : [];
  if (status !== "succeeded") return isDone || run.status === "running" ? [is] : [];
  if (!isDone) return [is];
  const outputs = nestedOutputs(workflow, attempt, run);
  const found = differences(attempt.outputs as unknown as Json, outputs as unknown as Json);
  const said = outputs.decision;
  const decision = said && "value" in said ? parseDecision(said.value) : null;
  if (step.gate && attempt.decision !== decision)
    return [...found, `the run decides ${decision ?? "nothing"}, and its attempt ${attempt.decision}`];
  return found.map(
    (each) => `of its outputs as its attempt has them: ${each.replace("the journal", "the run")}`,
  );
}
