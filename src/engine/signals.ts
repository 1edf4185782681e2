import { ExitCode } from "../core/problem.ts";

export interface SignalHandlers {
  /** SIGINT or SIGTERM; the second and every later call asks for haste. */
  stop(signal: "SIGINT" | "SIGTERM", again: boolean): void;
}

/**
 * Listens while a run is driven; returns what ends that. A closed terminal (SIGHUP) ends the engine as a crash would:
 * the steps go on, and `resume` adopts them.
 */
export function listenToSignals(handlers: SignalHandlers): () => void {
  let count = 0;
  const onStop = (signal: NodeJS.Signals) => {
    count += 1;
    handlers.stop(signal as "SIGINT" | "SIGTERM", count > 1);
  };
  const onHangup = () => process.exit(ExitCode.hangup);
  process.on("SIGINT", onStop).on("SIGTERM", onStop).on("SIGHUP", onHangup);
  return () => {
    process.off("SIGINT", onStop).off("SIGTERM", onStop).off("SIGHUP", onHangup);
  };
}
