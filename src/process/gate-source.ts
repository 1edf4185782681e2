import type { Readable, Writable } from "node:stream";
import type { Recorder } from "../core/event.ts";

/** A wrapper that waits, and the channel to it. */
export interface Gate {
  /** Leader of the process group of the command to be. */
  readonly pid: number;
  /** If it is not the wrapper's first process that records the status, but one outside of its group. */
  readonly recorder?: Recorder;
  send(text: string): void;
  /**
   * No process of its group is left.
   *
   * @param spent it has read all that was sent: what is left in the channel would be read by its successor
   */
  release(spent: boolean): void;
  /** Lets go of the channel; a wrapper that still waits ends. */
  close(): void;
  /** Set by who takes it: a line that the wrapper wrote. */
  onLine: (line: string) => void;
  /** Set by who takes it: nobody is left at the other end. */
  onClose: () => void;
}

/** Where wrappers come from. */
export interface GateSource {
  /** How many more can be asked for now. */
  readonly room: number;
  /** Asks for one; it comes by `onGate`. */
  request(): void;
  /** Looks whether what is to give the next wrapper still lives. */
  lookForDead(): void;
  /** It has no room, and should: channels that could not be used again were given up. Ends with `onGone`. */
  retire(): void;
  /** Nothing of the source itself is left after it; wrappers that run go on. */
  close(): Promise<void>;
}

export interface GateSourceEvents {
  onGate(gate: Gate): void;
  /** Another wrapper will come, without being asked for, in the place of one that was released. */
  onRenewal(): void;
  /** One that was asked for, or was to come, will not. */
  onLost(): void;
  /** It gives no more wrappers; those that it gave stay as they are. */
  onGone(why: string): void;
}

/** Calls back for each line, without its end. */
export function onLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("latin1");
  stream.on("data", (chunk: string) => {
    rest += chunk;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      onLine(line);
    }
  });
}

/** A peer that is gone shows as `close`; what the write said about it adds nothing. */
export function ignoreErrors(stream: Readable | Writable): void {
  stream.on("error", () => undefined);
}
