/* Which faults there are to try, and which of them are tried. */
import type { Fault } from "../rig/project.ts";

/** An operation that a process carries out, as the trace of an undisturbed run tells it. */
export interface Operation {
  readonly n: number;
  readonly name: string;
  readonly target: string;
  /** It can be cut in the middle. */
  readonly middle: boolean;
}

export interface Case {
  readonly scenario: string;
  /** The how manieth command that drives the run it is done to, from 0; absent: the first. */
  readonly phase?: number;
  /** What is done to the run; the resume after it is left alone unless `then` says otherwise. */
  readonly fault: Fault & { readonly at: number; readonly when: "before" | "middle" | "after" };
  /** Done to the resume. */
  readonly then?: Case["fault"];
}

/** Names a case, so that it can be run alone: `WF_CRASH_ONLY="sequence kill 12 before"`. */
export function label({ scenario, phase, fault, then }: Case): string {
  const one = ({ does, errno, onward, at, when, part, children }: Fault) =>
    `${does}${errno ? ` ${errno}` : ""}${onward ? " onward" : ""} ${at} ${when}${part ? ` ${part}` : ""}${children ? " with children" : ""}`;
  return `${scenario}${phase ? ` phase ${phase}` : ""} ${one(fault)}${then ? `, then ${one(then)}` : ""}`;
}

/** Every kill at an operation: before, within and after it, with and without the steps' processes. */
export function kills(operations: readonly Operation[]): Case["fault"][] {
  return operations.flatMap(({ n, middle }) =>
    (["before", "middle", "after"] as const)
      .filter((when) => when !== "middle" || middle)
      .flatMap((when) => [
        { at: n, when, does: "kill" as const },
        { at: n, when, does: "kill" as const, children: true },
      ]),
  );
}

/** Every append to the journal, torn in several places: between the lines of a turn, and within them. */
export function tears(operations: readonly Operation[]): Case["fault"][] {
  const appends = operations.filter(
    ({ name, target }) => /^write/.test(name) && /progress\.ndjson$/.test(target),
  );
  const parts = Array.from({ length: 19 }, (_, n) => (n + 1) / 20);
  return appends.flatMap(({ n }) =>
    parts.map((part) => ({ at: n, when: "middle" as const, part, does: "kill" as const })),
  );
}

/** Every failure of an operation on a file: once, in mid-write, and for good. */
export function errors(operations: readonly Operation[]): Case["fault"][] {
  const onFiles = operations.filter(({ name }) => !/^(spawn|kill|pipe\.)/.test(name));
  return onFiles.flatMap(({ n, middle }) => [
    { at: n, when: "before" as const, does: "error" as const, errno: "EIO" },
    { at: n, when: "after" as const, does: "error" as const, errno: "EIO" },
    { at: n, when: "before" as const, does: "error" as const, errno: "ENOSPC", onward: true },
    ...(middle ? [{ at: n, when: "middle" as const, does: "error" as const, errno: "ENOSPC" }] : []),
    ...(middle
      ? [{ at: n, when: "middle" as const, does: "error" as const, errno: "EDQUOT", onward: true }]
      : []),
  ]);
}

/** Numbers in [0, 1) that a seed decides (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `count` of them, evenly spread over the whole list, so that each region is met with any seed. */
export function sample<T>(all: readonly T[], count: number, random: () => number): T[] {
  if (count >= all.length) return [...all];
  const width = all.length / count;
  return Array.from({ length: count }, (_, index) => all[Math.floor((index + random()) * width)] as T);
}
