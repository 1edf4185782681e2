import type { JournalLine } from "../../core/event.ts";
import type { Observer } from "../../engine/api.ts";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { print, printDiagnostic } from "../output.ts";
import { eventLine } from "./event.ts";
import { colors } from "./style.ts";
import { oneLine } from "./text.ts";

/** What is told while a run is driven, and where. */
export interface Teller {
  created?(runId: string, runDir: string): void;
  /**
   * @param runDir of the run, or of the nested run that the event is of
   * @param within the steps that this nested run is in
   * @param asks the message of the gate that it opens
   */
  event?(
    line: JournalLine,
    runDir: string | undefined,
    told: { readonly within?: string; readonly asks?: string },
  ): void;
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
  gateOpenedBy: (line: JournalLine, runDir: string) => OpenGate | null,
  known?: string,
): Progress {
  let runDir = known;
  let moved = false;
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
        const place = within?.runDir ?? runDir;
        const asks = place === undefined ? undefined : gateOpenedBy(line, place)?.gate?.message;
        teller.event?.(line, place, {
          ...(within && { within: within.name }),
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
  event(line, _runDir, told) {
    if (isToldByCreated(line)) return;
    const text = eventLine(line, told);
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
