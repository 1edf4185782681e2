import type { Liveness } from "../../review/liveness.ts";
import { livenessJson, livenessText } from "./liveness.ts";
import { oneLine, shellWord } from "./text.ts";

/** What became of a request to cancel a run that somebody drives. */
export type CancelResult =
  | { readonly kind: "taken"; readonly driver: Liveness }
  | { readonly kind: "refused"; readonly because: string }
  | { readonly kind: "ended"; readonly status: string }
  | { readonly kind: "left"; readonly driver: Liveness; readonly file: string };

export function cancelText(name: string, result: CancelResult): string {
  const look = `look:  wf status ${shellWord(name)}`;
  switch (result.kind) {
    case "taken":
      return `run ${name} is being canceled: its engine has taken the request and stops the steps\n${look}`;
    case "refused":
      return `run ${name} was not canceled: ${oneLine(result.because)}\n${look}`;
    case "ended":
      return `run ${name} is ${result.status}\n${look}`;
    case "left":
      return `the request is in ${result.file}, but no engine has taken it yet; the run is ${livenessText(result.driver)}\n${look}`;
    default:
      return result satisfies never;
  }
}

/** Described by `schemas/cli/cancel.schema.json`. */
export function cancelJson(name: string, runDir: string, file: string, result: CancelResult): object {
  return {
    run: name,
    runDir,
    request: file,
    result: result.kind,
    status: result.kind === "ended" ? result.status : null,
    because: result.kind === "refused" ? result.because : null,
    liveness: "driver" in result ? livenessJson(result.driver) : null,
  };
}
