import { resolve } from "node:path";
import type { AnswerSource } from "../core/answers.ts";
import type { JournalLine } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import type { AnswerFixture } from "../review/answer-fixture.ts";
import { sourcePath } from "../store/recorded-project.ts";
import type { ResumeRequest, StartRequest } from "./api.ts";
import { sourceOf } from "./earlier-run.ts";

/** Of the run that is to be answered. */
interface Answered {
  readonly workflowId: string;
  readonly project: string;
}

/** The fixture that a start names; null if it names none. Raises USAGE, and what `openFixture` does. */
export async function fixtureFor(
  { answers, reuse }: Pick<StartRequest, "answers" | "reuse">,
  run: Answered,
): Promise<AnswerFixture | null> {
  if (answers === undefined) return null;
  refuseBoth(reuse !== undefined);
  return await open(resolve(answers), answers, run);
}

/**
 * The fixture that a resume names, else the one that the run has: that has to be what it was. Raises ANSWERS_REFUSED,
 * and the same.
 */
export async function fixtureAgain(
  { answers, reuse }: Pick<ResumeRequest, "answers" | "reuse">,
  lines: readonly JournalLine[],
  run: Answered,
): Promise<AnswerFixture | null> {
  const source = answersOf(lines);
  if (answers === undefined && source === null) return null;
  refuseBoth(reuse !== undefined || sourceOf(lines) !== null);
  if (answers !== undefined) return await open(resolve(answers), answers, run);
  return source && (await asItWas(source, run));
}

async function asItWas(source: AnswerSource, run: Answered): Promise<AnswerFixture> {
  const folder = sourcePath(run.project, source.fixture);
  let fixture: AnswerFixture;
  try {
    fixture = await open(folder, folder, run);
  } catch (error) {
    if (error instanceof WfError && error.exitCode === 2) throw refused(folder, error.message);
    throw error;
  }
  if (fixture.source.sha256 === source.sha256) return fixture;
  throw refused(folder, "it is not any more what it was when the run was told of it");
}

async function open(folder: string, name: string, run: Answered): Promise<AnswerFixture> {
  const { openFixture } = await import("../review/answer-fixture.ts");
  return await openFixture(folder, name, run);
}

/** The last that the run was told. */
function answersOf(lines: readonly JournalLine[]): AnswerSource | null {
  let source: AnswerSource | null = null;
  for (const line of lines) {
    if (line.event === "run_created" || line.event === "engine_started")
      source = line.volatile.answers ?? source;
  }
  return source;
}

function refuseBoth(reuses: boolean): void {
  if (!reuses) return;
  throw new WfError({
    code: "USAGE",
    message: "--answers and --reuse can not be given together: an attempt comes from one place",
    hint: "leave one of them out",
  });
}

function refused(folder: string, why: string): WfError {
  return new WfError({
    code: "ANSWERS_REFUSED",
    message: `the run can not go on with the answers of ${folder}: ${why}`,
    hint: "restore the fixture, as with git checkout, or name one, perhaps as it is now:  wf resume RUN --answers FIXTURE",
  });
}
