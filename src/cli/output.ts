import { writeSync } from "node:fs";

let stdoutClosed = false;
const whenClosed = new Set<() => void>();

/** A reader that goes away (`wf run … | head -1`) is no failure: what follows is dropped, the work goes on. */
export function tolerateClosedStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (stream === process.stdout && !stdoutClosed) {
        stdoutClosed = true;
        for (const tell of whenClosed) tell();
      }
      if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") sayOnStderr(error);
    });
  }
}

/** Text for a person or a program, with its newline already in it. */
export function write(text: string | Uint8Array): void {
  if (!stdoutClosed) process.stdout.write(text);
}

export function print(line: string): void {
  write(`${line}\n`);
}

export function printJson(value: unknown): void {
  write(`${JSON.stringify(value, null, 2)}\n`);
}

/** One compact object a line, where a command streams. */
export function printJsonLine(value: unknown): void {
  write(`${JSON.stringify(value)}\n`);
}

export function printDiagnostic(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function isStdoutClosed(): boolean {
  return stdoutClosed;
}

/** For commands that only follow: without a reader they have nothing left to do. */
export function onStdoutClosed(tell: () => void): void {
  if (stdoutClosed) tell();
  else whenClosed.add(tell);
}

/** Never through the stream that has just failed. */
function sayOnStderr(error: NodeJS.ErrnoException): void {
  try {
    writeSync(2, `wf: standard output failed: ${error.code ?? error.message}\n`);
  } catch {
    // There is nowhere left to say it.
  }
}

/** Resolves when the text is out, so that a long log is never held in memory. */
export function writeAndWait(text: string | Uint8Array): Promise<void> {
  if (stdoutClosed) return Promise.resolve();
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}
