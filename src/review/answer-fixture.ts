import { createHash } from "node:crypto";
import { isAbsolute, relative } from "node:path";
import type { AnswerSource } from "../core/answers.ts";
import { type Problem, WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { AnswerBook } from "./answer-book.ts";
import { type AnsweredRun, AnswerPlaces } from "./answer-places.ts";
import { definitionTexts } from "./canon-definition.ts";
import { formatForm } from "./canon-form.ts";
import { fixtureForm } from "./fixture.ts";
import { integrityFindings } from "./fixture-integrity.ts";
import { allWorkflows, type Definition, recordedDefinition } from "./replay-definition.ts";
import { type Recorded, readRecorded } from "./replay-record.ts";

/** A fixture that has been checked. */
export interface AnswerFixture {
  readonly source: AnswerSource;
  /** The book for a run that exists. `present`: the definition that it goes by. */
  bookFor(run: AnsweredRun, present: Workflow): AnswerBook;
}

/**
 * Reads a fixture that is to answer runs of a workflow. Raises RUN_NOT_FOUND if it is none, FIXTURE_INVALID with all
 * that is damaged, ANSWERS_REFUSED if it is of another workflow.
 *
 * @param name how messages call it
 * @param project of the run that is to be answered
 */
export async function openFixture(
  folder: string,
  name: string,
  { workflowId, project }: { readonly workflowId: string; readonly project: string },
): Promise<AnswerFixture> {
  const form = await fixtureForm(folder, name);
  const recorded = readRecorded(form, name);
  const { id } = recorded.created.workflow;
  if (id !== workflowId) {
    throw new WfError({
      code: "ANSWERS_REFUSED",
      message: `${name} is a fixture of the workflow ${id}, not of ${workflowId}`,
      hint: "wf fixture list lists fixtures with their workflows",
    });
  }
  const definition = recordedDefinition(recorded, name);
  refuseDamaged(recorded, definition, name);
  const digest = createHash("sha256");
  for (const part of formatForm(form)) digest.update(part);
  const source = { fixture: nameIn(project, folder), sha256: digest.digest("hex") };
  return {
    source,
    bookFor(run, present) {
      const workflows = [...allWorkflows(present), ...allWorkflows(definition.workflow)];
      const redact = [...new Set(workflows.flatMap((each) => each.redact))];
      return new AnswerBook({
        ...{ source, recorded, definition, folder: "" },
        places: new AnswerPlaces(run, { redact, definition: definitionTexts(run.runDir) }),
      });
    },
  };
}

function refuseDamaged(recorded: Recorded, { workflow }: Definition, name: string): void {
  const problems = integrityFindings(recorded, workflow).map(
    ({ path, message }): Problem => ({ code: "FIXTURE_INVALID", message: `${path}: ${message}` }),
  );
  const [first, ...rest] = problems;
  if (!first) return;
  const hint = `restore it, or make it anew with wf fixture save RUN DIR`;
  throw new WfError([{ ...first, message: `${name}: ${first.message}`, hint }, ...rest]);
}

function nameIn(project: string, folder: string): string {
  const path = relative(project, folder);
  return path.startsWith("..") || isAbsolute(path) ? folder : `project:${path}`;
}
