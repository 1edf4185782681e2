import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Problem, WfError } from "../core/problem.ts";
import { NO_SECRETS, type Secrets } from "../secrets/secrets.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { canonicalForm } from "./canon.ts";
import { type CanonForm, writeForm } from "./canon-form.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import { integrityFindings } from "./fixture-integrity.ts";
import { PAGE, pageOf } from "./fixture-page.ts";
import { findSecrets } from "./fixture-secrets.ts";
import { type Difference, type Replayed, replayAgainst, replayOn } from "./replay.ts";
import { type Definition, recordedDefinition } from "./replay-definition.ts";
import { type Recorded, readRecorded } from "./replay-record.ts";

export interface Saved {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Writes the canonical form of a run that has ended, and a page about it, into a folder that does not exist or is empty.
 * Raises WRONG_STATE, FIXTURE_REFUSED with all that looks like a secret, USAGE, and what `canonicalForm` raises; then
 * nothing was written.
 *
 * @param name how messages call the run
 * @param secrets values that must not be in it
 */
export async function saveFixture(
  path: string,
  name: string,
  folder: string,
  secrets: Secrets = NO_SECRETS,
): Promise<Saved> {
  const form = await canonicalForm(path);
  const recorded = readRecorded(form, name);
  const { end } = recorded.stretches.at(-1) ?? {};
  if (!end) {
    throw new WfError({
      code: "WRONG_STATE",
      message: `${name} has not ended: a fixture is a whole run`,
      hint: "wf status says what it waits for",
    });
  }
  refuseSecrets(form, name, secrets);
  const definition = recordedDefinition(recorded, name);
  const replayed = await replayOn(recorded, { present: definition, before: definition, folder: path });
  refuseDifferences(replayed.differences, `the replay of ${name} on its own definition is not the same`);
  const page = pageOf(recorded, definition.workflow);
  const files = [...form, { path: PAGE, text: page }];
  writeForm(files, folder);
  const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  return { folder, files: files.length, bytes };
}

export interface CheckFinding {
  readonly kind: "format" | "integrity" | "secret" | "page";
  /** In the fixture. */
  readonly path: string;
  /** From 1; null: the file as a whole. */
  readonly line: number | null;
  readonly message: string;
}

export interface Checked {
  readonly folder: string;
  readonly findings: readonly CheckFinding[];
  /** Null: it is not fit for a replay. */
  readonly replayed: Replayed | null;
}

/**
 * Format, digests, no secrets, and the replay. Raises RUN_NOT_FOUND if there is no fixture, and all that is wrong with
 * the workflow file.
 */
export async function checkFixture(folder: string, name: string, workflow?: string): Promise<Checked> {
  const form = await fixtureForm(folder, name);
  const findings: CheckFinding[] = [];
  for (const { path, line, what } of findSecrets(form, NO_SECRETS)) {
    findings.push({ kind: "secret", path, line: line === 0 ? null : line, message: `it looks like ${what}` });
  }
  let recorded: Recorded;
  let before: Definition;
  try {
    recorded = readRecorded(form, name);
    before = recordedDefinition(recorded, name);
    for (const found of integrityFindings(recorded, before.workflow)) {
      findings.push({ kind: "integrity", line: null, ...found });
    }
    if (readPage(folder) !== pageOf(recorded, before.workflow)) {
      const message = "it is not what this fixture's page says; wf fixture update writes it anew";
      findings.push({ kind: "page", path: PAGE, line: null, message });
    }
  } catch (error) {
    if (!(error instanceof WfError) || error.code !== "FIXTURE_INVALID") throw error;
    findings.push({ kind: "format", path: ".", line: null, message: error.message });
    return { folder, findings, replayed: null };
  }
  return { folder, findings, replayed: await replayAgainst(recorded, { before, folder, workflow }) };
}

/** Nobody looks at the differences of what is no fixture. Raises RUN_NOT_FOUND. */
export async function fixtureForm(folder: string, name: string): Promise<CanonForm> {
  if (!isFixture(folder)) {
    throw new WfError({
      code: "RUN_NOT_FOUND",
      message: `${name} is no fixture`,
      hint: "wf fixture save RUN DIR makes one of a run; wf fixture list lists them",
    });
  }
  return await canonicalForm(folder);
}

export function isFixture(folder: string): boolean {
  try {
    const record = JSON.parse(readFileSync(join(folder, RUN_FILES.snapshot), "utf8")) as { runId?: unknown };
    return record.runId === PLACEHOLDERS.runId;
  } catch (error) {
    const code = errnoOf(error);
    if (error instanceof SyntaxError || code === "ENOENT" || code === "ENOTDIR") return false;
    throw ioError(error, `read ${folder}`);
  }
}

function readPage(folder: string): string | null {
  try {
    return readFileSync(join(folder, PAGE), "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(error, `read ${folder}`);
  }
}

export function refuseSecrets(form: CanonForm, name: string, secrets: Secrets): void {
  const problems = findSecrets(form, secrets).map(({ path, line, what }): Problem => {
    const message = `${line === 0 ? path : `line ${line} of ${path}`} looks like ${what}`;
    return { code: "FIXTURE_REFUSED", message };
  });
  const [first, ...rest] = problems;
  if (!first) return;
  const hint = "keep it from being printed, make it a secret input, or name it under redact: in the workflow";
  const last = problems.length - 1;
  const message = `${name} can not be a fixture: ${first.message}`;
  const all = [{ ...first, message }, ...rest] as [Problem, ...Problem[]];
  throw new WfError(
    all.map((each, at) => (at === last ? { ...each, hint } : each)) as [Problem, ...Problem[]],
  );
}

export function refuseDifferences(differences: readonly Difference[], why: string): void {
  const problems = differences.map(({ message, place }): Problem => {
    const where = place === null ? "" : `${place.file}:${place.line}: `;
    return { code: "FIXTURE_REFUSED", message: `${where}${message}` };
  });
  const [first, ...rest] = problems;
  if (first) throw new WfError([{ ...first, message: `${why}: ${first.message}` }, ...rest]);
}
