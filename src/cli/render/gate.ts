import { join } from "node:path";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { indent, neutralize, oneLine, shellWord } from "./text.ts";

/** `sign_off asks:`, then what is shown and how to decide. `name`: what the run is called in commands. */
export function gateLines(open: OpenGate, runDir: string, name: string): string[] {
  const { step, attempt, decided } = open;
  const again = attempt > 1 ? `, attempt ${attempt},` : "";
  const { approve, reject } = decideCommands(name, step);
  return [
    `${step}${again} asks:`,
    ...shownLines(open, runDir),
    ...(decided === null
      ? [`  approve:  ${approve}`, `  reject:   ${reject}`]
      : [`  decided:  ${oneLine(decidedText(decided))}`]),
  ];
}

/** The message and the artifacts. */
export function shownLines({ gate }: OpenGate, runDir: string): string[] {
  if (gate === null) return ["  (gate.json is not there or can not be read; wf resume writes it again)"];
  const shows = gate.shows.map(({ file }) => `  shown:    ${oneLine(displayPath(join(runDir, file)))}`);
  return [...indent(neutralize(gate.message.trimEnd()), "  ").split("\n"), ...shows];
}

/** `approved by ann@build-7, which no engine has taken yet`. */
export function decidedText({ decision, by, comment }: NonNullable<OpenGate["decided"]>): string {
  const said = comment === "" ? "" : ` (${comment})`;
  return `${PAST[decision]} by ${by}${said}; the next wf resume takes it`;
}

export const PAST = { approve: "approved", reject: "rejected" } as const;

export function decideCommands(name: string, step: string): { approve: string; reject: string } {
  const gate = `${shellWord(name)} ${shellWord(step)}`;
  return { approve: `wf approve ${gate}`, reject: `wf reject ${gate} --comment '…'` };
}

export interface GateJson {
  readonly step: string;
  readonly attempt: number;
  readonly message: string | null;
  readonly artifacts: readonly { readonly file: string; readonly path: string; readonly sha256: string }[];
  readonly commands: { readonly approve: string; readonly reject: string };
}

/** The same for programs. */
export function gateJson({ step, attempt, gate }: OpenGate, runDir: string, name: string): GateJson {
  return {
    step,
    attempt,
    message: gate?.message ?? null,
    artifacts: (gate?.shows ?? []).map(({ file, sha256 }) => ({ file, path: join(runDir, file), sha256 })),
    commands: decideCommands(name, step),
  };
}

/** With the decision that waits to be taken. */
export function openGateJson(open: OpenGate, runDir: string, name: string): object {
  const { decided } = open;
  const waiting = decided && {
    decision: decided.decision,
    by: decided.by,
    comment: decided.comment,
    request: decided.file,
  };
  return { ...gateJson(open, runDir, name), decided: waiting };
}
