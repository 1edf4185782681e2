import type { JournalLine } from "../../core/event.ts";
import type { Observer } from "../../engine/api.ts";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { print, printDiagnostic } from "../output.ts";
import { type Around, eventLine } from "./event.ts";
import { colors } from "./style.ts";
import { oneLine } from "./text.ts";

/** What is told while a run is driven, and where. */
export interface Teller {
  created?(runId: string, runDir: string): void;
  /**
   * @param runDir of the run, or of the nested run that the event is of
   */
  event?(line: JournalLine, runDir: string | undefined, around: Around): void;
}

/** An observer that also knows how far things have come. */
export interface Progress {
  readonly observer: Required<Observer>;
  /** Whether anything has happened. */
  moved(): boolean;
  runDir(): string | undefined;
}

export function progress(
  teller: Teller,
  gateOpenedBy: (line: JournalLine, runDir: string, within?: string) => OpenGate | null,
  known?: string,
): Progress {
  let runDir = known;
  let moved = false;
  let outermost: string | undefined;
  return {
    moved: () => moved,
    runDir: () => runDir,
    observer: {
      created(run) {
        moved = true;
        runDir = run.runDir;
        teller.created?.(run.runId, run.runDir);
      },
      event(line, _state, within) {
        moved = true;
        if (within === undefined) outermost = line.run;
        const place = within?.runDir ?? runDir;
        const asks = place === undefined ? undefined : gateOpenedBy(line, place)?.gate?.message;
        teller.event?.(line, place, {
          ...(within && { within: within.name }),
          ...(outermost !== undefined && { run: outermost }),
          ...(asks !== undefined && { asks }),
        });
      },
      note(sentence) {
        printDiagnostic(`note: ${oneLine(sentence)}`);
      },
    },
  };
}

/** One line per event on standard output. */
export const PLAIN: Teller = {
  created(runId, runDir) {
    print(`run ${colors().bold(runId)} in ${displayPath(runDir)}`);
  },
  event(line, _runDir, around) {
    if (isToldByCreated(line)) return;
    const text = eventLine(line, around);
    if (text !== null) print(text);
  },
};

/** With `--json` the document at the end is all that goes to standard output. */
export const SILENT: Teller = {};

export function isToldByCreated(line: JournalLine): boolean {
  return (
    line.event === "run_created" ||
    (line.event === "engine_started" && (line.how === "start" || line.how === "fork"))
  );
}
