import { ARITHMETIC, type Spot } from "./shell-spot.ts";

/** `isStart`: what comes next is a command's first word; `cases`: how many `case … in` are open. */
export interface CommandFrame {
  kind: "command";
  close: ")" | "`" | null;
  cases: number;
  isStart: boolean;
}

/** What the scanner is in the middle of. */
export type Frame =
  | CommandFrame
  | { kind: "double" }
  | { kind: "here"; end: number; after: number }
  | { kind: "parameter"; place: "word" | "quoted" | "pattern" | "arithmetic" }
  | { kind: "arithmetic"; close: "))" | "]"; depth: number };

export function commandFrame(close: CommandFrame["close"]): CommandFrame {
  return { kind: "command", close, cases: 0, isStart: true };
}

/** What a template that stands directly in a frame is. */
export function spotIn(frame: Frame): Spot {
  if (frame.kind === "command") return { kind: "word" };
  if (frame.kind === "double" || frame.kind === "here") return { kind: "quoted" };
  if (frame.kind === "arithmetic") return ARITHMETIC;
  if (frame.place === "arithmetic") return ARITHMETIC;
  return { kind: frame.place === "quoted" ? "quoted" : "word" };
}
