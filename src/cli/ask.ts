import { once } from "node:events";
import { createInterface } from "node:readline";

/** Whether somebody is there to be asked. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Yes only if that is what was typed; the end of the input is a no. */
export async function ask(question: string): Promise<boolean> {
  // Not as a terminal: Ctrl-C is to end the process, as always.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    process.stderr.write(`${question} [y/N] `);
    const [answer] = await Promise.race([once(lines, "line"), once(lines, "close")]);
    return /^\s*y(es)?\s*$/i.test(String(answer ?? ""));
  } finally {
    lines.close();
  }
}
