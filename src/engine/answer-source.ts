import { resolve } from "node:path";
import type { AnswerSource } from "../core/answers.ts";
import { WfError } from "../core/problem.ts";
import type { AnswerFixture } from "../review/answer-fixture.ts";
import { sourcePath } from "../store/recorded-project.ts";
import type { StartRequest } from "./api.ts";

/** The fixture that a start names; null if it names none. Raises USAGE, and what `openFixture` does. */
export async function fixtureFor(
  { answers, reuse }: Pick<StartRequest, "answers" | "reuse">,
  workflowId: string,
  project: string,
): Promise<AnswerFixture | null> {
  if (answers === undefined) return null;
  if (reuse !== undefined) {
    throw new WfError({
      code: "USAGE",
      message: "--answers and --reuse can not be given together: an attempt comes from one place",
      hint: "leave one of them out",
    });
  }
  const { openFixture } = await import("../review/answer-fixture.ts");
  return await openFixture(resolve(answers), answers, { workflowId, project });
}

/** The same of a run that exists: it has to be what it was. Raises ANSWERS_REFUSED. */
export async function fixtureAgain(
  source: AnswerSource | undefined,
  workflowId: string,
  project: string,
): Promise<AnswerFixture | null> {
  if (source === undefined) return null;
  const folder = sourcePath(project, source.fixture);
  const { openFixture } = await import("../review/answer-fixture.ts");
  let fixture: AnswerFixture;
  try {
    fixture = await openFixture(folder, folder, { workflowId, project });
  } catch (error) {
    if (error instanceof WfError && error.exitCode === 2) throw refused(folder, error.message);
    throw error;
  }
  if (fixture.source.sha256 === source.sha256) return fixture;
  throw refused(folder, "it is not any more what it was when the run was started");
}

function refused(folder: string, why: string): WfError {
  return new WfError({
    code: "ANSWERS_REFUSED",
    message: `the run can not go on with the answers of ${folder}: ${why}`,
    hint: "restore the fixture, as with git checkout, or start anew:  wf run FILE --answers FIXTURE",
  });
}
