import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { JournalLine } from "../core/event.ts";
import type { JsonObject } from "../core/json.ts";
import type { RunRecord } from "../core/record.ts";
import { toRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { loadWorkflow } from "../language/load.ts";
import { isTempName } from "../store/atomic-file.ts";
import { noting, readCopies } from "../store/copies.ts";
import { RUN_FILES } from "../store/layout.ts";
import { attemptsOf, checkAttempts } from "./verify-attempts.ts";
import { Claims, checkClaims } from "./verify-claims.ts";
import { Files, type Kind } from "./verify-files.ts";
import { checkRequests, Gates } from "./verify-gates.ts";
import { checkJournal, type JournalReading } from "./verify-journal.ts";
import { type Finding, Findings, RULES, type Rule } from "./verify-rules.ts";
import { RunSchemas } from "./verify-schema.ts";
import { checkSnapshot, checkSnapshotText, type SnapshotText } from "./verify-snapshot.ts";
import { checkStory } from "./verify-story.ts";

/** One look at all of a run. */
export interface Pass {
  readonly findings: readonly Finding[];
  readonly lines: readonly JournalLine[];
  readonly torn: JournalReading["torn"];
  /** Nothing is wrong with the journal but perhaps its last append. */
  readonly trusted: boolean;
  /** What `run.json` should say as of the journal's last line; null if that can not be told. */
  readonly record: RunRecord | null;
  readonly checked: Checked;
}

export interface Checked {
  readonly lines: number;
  readonly attempts: number;
  readonly artifacts: number;
  /** Files and folders that were looked at. */
  readonly names: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  [RUN_FILES.snapshot]: "file",
  [RUN_FILES.journal]: "file",
  [RUN_FILES.definition]: "file",
  [RUN_FILES.control]: "folder",
  [RUN_FILES.lock]: "folder",
  [RUN_FILES.steps]: "folder",
  [RUN_FILES.workspace]: "folder",
  [RUN_FILES.prompts]: "folder",
  [RUN_FILES.workflows]: "folder",
  [RUN_FILES.quarantine]: "folder",
};

/**
 * Looks at each file of a run once. The snapshot first and the folders before the journal: both only tell of what is
 * in the journal by then.
 *
 * @param own the epoch of a claim that the caller holds: who drove the run before it is what counts
 */
export function lookAtRun(runDir: string, own: number | null): Pass {
  const findings = new Findings();
  const files = new Files(runDir, findings);
  const schemas = new RunSchemas();
  const snapshot = checkSnapshotText(files, schemas, findings);
  const top = checkTop(files, findings);
  const bytes = top.has(RUN_FILES.journal) ? files.read(RUN_FILES.journal) : null;
  if (bytes === null) {
    if (!top.has(RUN_FILES.journal)) findings.damage("journal-readable", RUN_FILES.journal, "it is missing");
    const checked = { lines: 0, attempts: 0, artifacts: 0, names: files.seen };
    return { findings: findings.all, lines: [], torn: null, trusted: false, record: null, checked };
  }
  const journal = checkJournal(bytes, schemas, findings);
  const { lines } = journal;
  const all = [...lines, ...journal.beyond];
  const claims = withoutOwn(checkClaims(files, lines, journal.epochs, findings), own);
  checkEnd(journal, snapshot, claims, findings);
  const workflow = checkDefinition(files, lines, findings);
  const story = workflow && checkStory(workflow, lines, snapshot?.record.volatile ?? null, findings);
  const trusted = !findings.all.some(({ level, rule }) => level === "damage" && JOURNAL.has(rule));
  const clean = !claims.diedOrLives(claims.latest) && story?.state.status !== "running";
  const asOf = story?.asOf ?? null;
  if (snapshot) checkSnapshot(snapshot, journal, { trusted, asOf, clean }, findings);
  const approvals = workflow?.steps.filter(({ type }) => type === "approval").map(({ id }) => id) ?? [];
  const gates = new Gates({ files, schemas, claims, findings }, all, approvals);
  const attempts = attemptsOf(all);
  const context = {
    files,
    findings,
    claims,
    attempts,
    gates,
    workflow,
    trusted,
    lastEpoch: lines.at(-1)?.epoch ?? 0,
    inputsAt: story === null ? () => null : inputsAt(lines),
    versions: versionsOf(lines),
    artifacts: 0,
  };
  checkAttempts(context);
  checkRequests(gates, all);
  const isWhole = story !== null && story.folded === lines.length;
  return {
    findings: trusted ? findings.all : findings.all.map(withoutRebuild),
    lines,
    torn: journal.torn,
    trusted,
    record: isWhole ? toRecord(story.state, journal.validBytes) : null,
    checked: {
      lines: lines.length,
      attempts: attempts.count,
      artifacts: context.artifacts,
      names: files.seen,
    },
  };
}

const JOURNAL: ReadonlySet<Rule> = new Set([
  "journal-readable",
  "journal-line",
  "journal-order",
  "journal-story",
]);

/** Names in the run's own folder; those that can be looked into. */
function checkTop(files: Files, findings: Findings): Set<string> {
  const found = new Set<string>();
  for (const entry of files.list("")) {
    const { name } = entry;
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (name === RUN_FILES.snapshot) found.add(name);
    else if (kind !== undefined) {
      if (files.is(entry, name, kind)) found.add(name);
    } else if (/^progress\.ndjson\.torn-[1-9]\d{0,8}$/.test(name)) {
      // Where there are no hard links it is a folder that holds the file.
      if (!entry.isDirectory()) files.is(entry, name, "file");
    } else if (isTempName(name)) findings.note("left-over", name, "a write was cut off here");
    else findings.damage("known-names", name, "a run has nothing of this name", { repair: "quarantine" });
  }
  if (found.has(RUN_FILES.quarantine)) {
    findings.note("quarantine", RUN_FILES.quarantine, "an earlier repair put things aside here");
  }
  return found;
}

function checkEnd(
  { torn, lines }: JournalReading,
  snapshot: SnapshotText | null,
  claims: Claims,
  findings: Findings,
): void {
  if (torn === null) return;
  const { offset, line, what } = torn;
  const durable = snapshot?.record.volatile.journalBytes ?? 0;
  if (offset < durable) {
    const message = `${what}; it stands at byte ${offset}, and run.json says that ${durable} bytes were durable`;
    findings.damage("journal-line", RUN_FILES.journal, message, { line });
    return;
  }
  const last = lines.findLast(({ event }) => ENDINGS.has(event))?.event;
  const excused = claims.diedOrLives(claims.latest) || last === "engine_started";
  const message = `${what}: ${excused ? "an append was cut off" : "its last engine left it whole"}`;
  findings.unless(excused, "journal-end", RUN_FILES.journal, message, { line, repair: "cut" });
}

const ENDINGS: ReadonlySet<string> = new Set(["engine_started", "run_waiting", "run_ended"]);

/** The definition, if it is the one that the run was created with and nothing that it names is missing. */
function checkDefinition(files: Files, lines: readonly JournalLine[], findings: Findings): Workflow | null {
  const path = RUN_FILES.definition;
  const created = lines[0];
  if (files.kind(path) === null) findings.damage("definition-intact", path, "it is missing");
  const bytes = files.read(path);
  if (bytes === null || created?.event !== "run_created") return null;
  if (createHash("sha256").update(bytes).digest("hex") !== created.workflow.sha256) {
    findings.damage("definition-intact", path, "its SHA-256 is not the one of run_created");
    return null;
  }
  const { readFile, found, missing } = noting(readCopies(files.runDir));
  const loaded = loadWorkflow({ path: basename(path), bytes, readFile }, created.workflow);
  for (const copy of missing) {
    findings.damage("definition-files", copy, "it is missing, and the definition names it");
  }
  const named = new Set([...found.keys(), ...missing]);
  for (const folder of [RUN_FILES.prompts, RUN_FILES.workflows]) checkCopies(files, folder, named, findings);
  if (loaded.ok) return loaded.workflow;
  if (missing.size === 0) {
    const what = `this version of wf can not read it: ${loaded.problems[0].message}`;
    findings.damage("definition-intact", path, what);
  }
  return null;
}

/** What is in `prompts/` or `workflows/`, which nothing but the definition names. */
function checkCopies(files: Files, folder: string, named: ReadonlySet<string>, findings: Findings): void {
  if (files.kind(folder) !== "folder") return;
  for (const entry of files.list(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory() && [...named].some((each) => each.startsWith(`${path}/`)))
      checkCopies(files, path, named, findings);
    else if (named.has(path)) files.is(entry, path, "file");
    else findings.damage("known-names", path, "the definition names no such file", { repair: "quarantine" });
  }
}

/** From a journal that is wrong itself nothing is written again. */
function withoutRebuild(finding: Finding): Finding {
  if (finding.repair !== "rebuild" || finding.path !== RUN_FILES.snapshot) return finding;
  const { repair: _, ...rest } = finding;
  return { ...rest, todo: RULES[finding.rule].todo };
}

function versionsOf(lines: readonly JournalLine[]): Map<number, string> {
  const versions = new Map<number, string>();
  for (const line of lines) if (line.event === "engine_started") versions.set(line.epoch, line.version);
  return versions;
}

/** The inputs as an attempt saw them whose start is the line `seq`. */
function inputsAt(lines: readonly JournalLine[]): (seq: number) => JsonObject {
  const [created] = lines;
  const changes = lines.flatMap((line) => (line.event === "input_changed" ? [line] : []));
  return (seq) => {
    const inputs = { ...(created?.event === "run_created" && created.inputs) };
    for (const change of changes) if (change.seq < seq) inputs[change.what] = change.new;
    return inputs;
  };
}

function withoutOwn(claims: Claims, own: number | null): Claims {
  if (own === null) return claims;
  const owners = new Map([...claims.owners].filter(([epoch]) => epoch !== own));
  return new Claims(owners, claims.freed);
}
