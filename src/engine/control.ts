import { join } from "node:path";
import { CONTROL_POLL_MS, CONTROL_REREAD_MS } from "../core/limits.ts";
import { RUN_FILES } from "../store/layout.ts";
import { listRequests } from "../store/requests.ts";
import type { Session } from "./session.ts";

/**
 * Takes or refuses every request in `control/` that has not been looked at, and records which. A run that has ended
 * takes none. Returns whether there was one.
 */
export function takeRequests(session: Session): boolean {
  const { state } = session;
  let found = false;
  for (const request of listRequests(session.places.runDir)) {
    const { file } = request;
    if (state.requests.has(file)) continue;
    found = true;
    const refuse = (because: string) => session.record({ event: "request_refused", file, because });
    if ("refusedBecause" in request) refuse(request.refusedBecause);
    else if (state.status !== "running") refuse(`the run is ${state.status}`);
    else if (state.cancel !== null) refuse("the run is being canceled already");
    else {
      const because = request.ok.reason === "" ? "canceled on request" : `canceled: ${request.ok.reason}`;
      session.record({ event: "request_taken", file, request: "cancel", because });
    }
  }
  return found;
}

/** Whether there is a request that nobody has looked at. */
export function hasNewRequests(session: Session): boolean {
  return listRequests(session.places.runDir).some(({ file }) => !session.state.requests.has(file));
}

/**
 * Calls `onChange` when `control/` may have changed: on the watcher's hint, a moment later again, and every second
 * whatever the watcher says, since on some file systems it says nothing. Returns what ends it.
 */
export function watchControl(
  runDir: string,
  onChange: () => void,
): { hintToo(): Promise<void>; close(): void } {
  const timer = setInterval(onChange, CONTROL_POLL_MS);
  let closed = false;
  let closeWatcher: (() => Promise<void>) | undefined;
  return {
    async hintToo() {
      const { watch } = await import("chokidar");
      if (closed) return;
      const watcher = watch(join(runDir, RUN_FILES.control), { ignoreInitial: true, depth: 0 });
      closeWatcher = () => watcher.close();
      watcher.on("error", () => undefined);
      watcher.on("all", () => {
        onChange();
        setTimeout(onChange, CONTROL_REREAD_MS).unref();
      });
    },
    close() {
      closed = true;
      clearInterval(timer);
      void closeWatcher?.();
    },
  };
}
