import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import type { JsonObject } from "../core/json.ts";
import type { RunRecord } from "../core/record.ts";
import { toRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { isTempName } from "../store/atomic-file.ts";
import { RUN_FILES } from "../store/layout.ts";
import { attemptsOf, checkAttempts } from "./verify-attempts.ts";
import { Claims, checkClaims } from "./verify-claims.ts";
import { checkDefinitions, DefinitionReader } from "./verify-definition.ts";
import { Files, type Kind } from "./verify-files.ts";
import { checkRequests, Gates } from "./verify-gates.ts";
import { checkJournal, type JournalReading } from "./verify-journal.ts";
import { type Finding, Findings, RULES, type Rule } from "./verify-rules.ts";
import { type RunSchemas, runSchemas } from "./verify-schema.ts";
import { checkSnapshot, checkSnapshotText, type SnapshotText } from "./verify-snapshot.ts";
import { checkStory } from "./verify-story.ts";

/** One look at all of a run. */
export interface Pass {
  /** Of the run itself. */
  readonly findings: readonly Finding[];
  /** Its nested runs, by their folders. */
  readonly nested: ReadonlyMap<string, Pass>;
  /** The definition that it began with; null if it can not be read. */
  readonly workflow: Workflow | null;
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
  [RUN_FILES.definitions]: "folder",
  [RUN_FILES.quarantine]: "folder",
};

/** How to look at a run. */
interface Look {
  /** The epoch of a claim that the caller holds: who drove the run before it is what counts. */
  readonly own?: number;
  /** Not into nested runs. */
  readonly goesIn?: false;
}

/** What the looks at a run and at those nested in it have in common. */
interface Shared {
  readonly schemas: RunSchemas;
  readonly reader: DefinitionReader;
  readonly around: Gates["around"];
}

/**
 * Looks at each file of a run once, and of those nested in it. The snapshot first and the folders before the journal:
 * both only tell of what is in the journal by then.
 */
export function lookAtRun(
  runDir: string,
  { own, goesIn }: Look = {},
  shared: Shared = { schemas: runSchemas(), reader: new DefinitionReader(), around: null },
): Pass {
  const { schemas, reader, around } = shared;
  const findings = new Findings();
  const files = new Files(runDir, findings);
  const nested = new Map<string, Pass>();
  const snapshot = checkSnapshotText(files, schemas, findings);
  const top = checkTop(files, findings);
  const bytes = top.has(RUN_FILES.journal) ? files.read(RUN_FILES.journal) : null;
  if (bytes === null) {
    if (!top.has(RUN_FILES.journal)) findings.damage("journal-readable", RUN_FILES.journal, "it is missing");
    const checked = { lines: 0, attempts: 0, artifacts: 0, names: files.seen };
    const nothing = { lines: [], torn: null, trusted: false, record: null, workflow: null };
    return { findings: findings.all, nested, ...nothing, checked };
  }
  const journal = checkJournal(bytes, schemas, findings);
  const { lines } = journal;
  const all = [...lines, ...journal.beyond];
  const claims = withoutOwn(checkClaims(files, lines, journal.epochs, findings), own);
  checkEnd(journal, snapshot, claims, findings);
  const definitions = checkDefinitions(files, lines, reader, findings);
  const workflow = definitions.first;
  const story =
    workflow && checkStory(workflow, definitions, lines, snapshot?.record.volatile ?? null, findings);
  const trusted = !findings.all.some(({ level, rule }) => level === "damage" && JOURNAL.has(rule));
  const clean = !claims.diedOrLives(claims.latest) && story?.state.status !== "running";
  const asOf = story?.asOf ?? null;
  if (snapshot) checkSnapshot(snapshot, journal, { trusted, asOf, clean }, findings);
  const gates = new Gates({ files, schemas, claims, findings, around }, all, definitions.approvals);
  const attempts = attemptsOf(all);
  const context = {
    files,
    findings,
    claims,
    attempts,
    gates,
    definitions,
    hasSecrets: workflow?.inputs.some(({ secret }) => secret) ?? false,
    // A journal that has lost its end knows less than what is there by right.
    trusted: trusted && !findings.all.some(({ rule }) => rule === "snapshot-ahead"),
    lastEpoch: lines.at(-1)?.epoch ?? 0,
    inputsAt: story === null ? () => null : inputsAt(lines),
    versions: versionsOf(lines),
    artifacts: 0,
    lookInto: (folder: string) => {
      if (goesIn === false) return null;
      const inner = { schemas, reader, around: { gates, folder } };
      const pass = lookAtRun(join(runDir, folder), {}, inner);
      nested.set(folder, pass);
      return pass;
    },
  };
  checkAttempts(context);
  checkRequests(gates, all);
  const isWhole = story !== null && story.folded === lines.length;
  return {
    findings: trusted ? findings.all : findings.all.map(withoutRebuild),
    nested,
    workflow,
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

/** Of a run and of those nested in it, by paths relative to the run. */
export function findingsIn({ findings, nested }: Pass): Finding[] {
  return [...findings, ...[...nested].flatMap(([folder, pass]) => findingsIn(pass).map(within(folder)))];
}

function within(folder: string): (finding: Finding) => Finding {
  return (finding) => ({ ...finding, path: finding.path === "." ? folder : `${folder}/${finding.path}` });
}

export function checkedIn({ checked, nested }: Pass): Checked {
  const sum = { ...checked };
  for (const pass of nested.values()) {
    const inner = checkedIn(pass);
    for (const key of ["lines", "attempts", "artifacts", "names"] as const) sum[key] += inner[key];
  }
  return sum;
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

function withoutOwn(claims: Claims, own: number | undefined): Claims {
  if (own === undefined) return claims;
  const owners = new Map([...claims.owners].filter(([epoch]) => epoch !== own));
  return new Claims(owners, claims.freed);
}
