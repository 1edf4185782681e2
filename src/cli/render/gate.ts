import { join } from "node:path";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { indent, neutralize, oneLine, shellWord } from "./text.ts";

/** `sign_off asks:`, then what is shown and how to decide. `run`: what the run is called in commands. */
export function gateLines(open: OpenGate, run: string): string[] {
  const { name, attempt, decided } = open;
  const again = attempt > 1 ? `, attempt ${attempt},` : "";
  const { approve, reject } = decideCommands(run, name);
  return [
    `${name}${again} asks:`,
    ...shownLines(open),
    ...(decided === null
      ? [`  approve:  ${approve}`, `  reject:   ${reject}`]
      : [`  decided:  ${oneLine(decidedText(decided))}`]),
  ];
}

/** The message and the artifacts. */
export function shownLines({ gate, runDir }: Pick<OpenGate, "gate" | "runDir">): string[] {
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

export function decideCommands(run: string, name: string): { approve: string; reject: string } {
  const gate = `${shellWord(run)} ${shellWord(name)}`;
  return { approve: `wf approve ${gate}`, reject: `wf reject ${gate} --comment '…'` };
}

export interface GateJson {
  /** From the outermost run: `deploy/item-3/sign_off`. */
  readonly name: string;
  readonly step: string;
  readonly attempt: number;
  readonly message: string | null;
  readonly artifacts: readonly { readonly file: string; readonly path: string; readonly sha256: string }[];
  readonly commands: { readonly approve: string; readonly reject: string };
}

/** The same for programs. */
export function gateJson({ name, runDir, step, attempt, gate }: OpenGate, run: string): GateJson {
  return {
    name,
    step,
    attempt,
    message: gate?.message ?? null,
    artifacts: (gate?.shows ?? []).map(({ file, sha256 }) => ({ file, path: join(runDir, file), sha256 })),
    commands: decideCommands(run, name),
  };
}

/** With the decision that waits to be taken. */
export function openGateJson(open: OpenGate, run: string): object {
  const { decided } = open;
  const waiting = decided && {
    decision: decided.decision,
    by: decided.by,
    comment: decided.comment,
    request: decided.file,
  };
  return { ...gateJson(open, run), decided: waiting };
}
