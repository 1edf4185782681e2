import { join } from "node:path";
import { changedFiles } from "../core/input-changes.ts";
import { type InputParts, partsOf } from "../core/input-parts.ts";
import { nodeAt } from "../core/state.ts";
import { contentOf } from "../steps/input-files.ts";
import { inputsText, readInputs } from "../steps/inputs-record.ts";
import { PreparationError } from "../steps/prepare.ts";
import { replaceFile } from "../store/atomic-file.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import type { LiveAttempt } from "./attempts.ts";
import type { Session } from "./session.ts";

/**
 * Looks at the input files of a command that has succeeded once more: if they are not what they were when it began, nobody
 * can say what it saw, and its `inputs.json` says that nothing may be taken from it.
 */
export function checkInputsAfter(session: Session, live: LiveAttempt): void | Promise<void> {
  const { step } = nodeAt(session.state, live.index);
  if (step.type !== "command" || !step.inputFiles) return;
  const { places, digests } = session;
  const dir = attemptDir(places.runDir, live);
  const record = readInputs(dir);
  if (record === null) return;
  const note = (changedMeanwhile: readonly string[]) => {
    if (changedMeanwhile.length === 0) return;
    const notes = { ...record.volatile, changedMeanwhile };
    const text = inputsText({ key: record.key, parts: partsOf(record) }, notes);
    replaceFile(join(dir, ATTEMPT_FILES.inputs), text, { sync: session.sync });
  };
  const compare = (files: InputParts["files"]) => note(changedFiles(record.files, files));
  const fail = (error: unknown) => {
    if (!(error instanceof PreparationError)) throw error;
    note([error.message]);
  };
  try {
    // The command may make what had to be absent.
    const found = contentOf(places.project, { ...step.inputFiles, absent: [] }, digests);
    return found instanceof Promise ? found.then(compare, fail) : compare(found);
  } catch (error) {
    fail(error);
  }
}
