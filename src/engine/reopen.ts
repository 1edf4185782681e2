import { foldAll } from "../core/fold.ts";
import { Journal } from "../store/journal.ts";
import { claim } from "../store/lock.ts";
import { recoverJournal } from "../store/recover.ts";
import { VERSION } from "../system/version.ts";
import type { CheckedResume } from "./check-resume.ts";
import { Clock } from "./clock.ts";
import type { InnerOptions } from "./drive-group.ts";
import { repairRecords } from "./repair.ts";
import { Session } from "./session.ts";

/** Claims a run that is there, and brings what a crash left of its journal and records in order. */
export async function reopen(
  runDir: string,
  checked: CheckedResume,
  options: InnerOptions,
): Promise<Session> {
  const observer = options.observer ?? {};
  const clock = new Clock();
  const held = await claim(runDir, {
    version: VERSION,
    onWaiting: (owner, ms) =>
      observer.note?.(
        `process ${owner.pid} on ${owner.host} may still drive it; taking over if it is silent for ${ms / 1000} s`,
      ),
  });
  try {
    const { durability } = checked;
    const recovered = recoverJournal(runDir, { durability });
    if (recovered.cut) {
      observer.note?.(
        `${recovered.cut.bytes} bytes at the end of the journal were torn (${recovered.cut.what}); kept in ${recovered.cut.file}`,
      );
    }
    const state = foldAll(checked.workflow, recovered.lines, checked.definitionIn);
    const { seq, length } = recovered;
    const journal = Journal.open(runDir, { seq, epoch: held.epoch, run: state.runId, length, durability });
    const depth = options.inside?.depth ?? 0;
    const places = { runDir, project: checked.project, secrets: checked.secrets, depth };
    repairRecords(runDir, state, recovered.lines);
    const { earlier, fixture } = checked;
    const run = { runDir, runId: state.runId, project: checked.project };
    const answers = options.inside?.answers ?? fixture?.bookFor(run, state.workflow) ?? null;
    return new Session({ places, state, claim: held, clock, journal, observer, earlier, answers });
  } catch (error) {
    held.release();
    throw error;
  }
}
