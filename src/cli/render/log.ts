import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { colors } from "./style.ts";
import { neutralize } from "./text.ts";

const TAIL_BYTES = 16_384;
const MAX_LINE = 400;

/** As `tail` marks its files. */
export function logHeader(name: string, attempt: number, stream: string): string {
  return colors().bold(`==> ${name}/${attempt} ${stream} <==`);
}

/** The last lines of a file, fit to be shown; none if it is empty or can not be read. */
export function lastLines(path: string, most: number): string[] {
  const text = readTail(path);
  const lines = neutralize(text).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.slice(-most).map((line) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line));
}

function readTail(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const from = Math.max(0, fstatSync(fd).size - TAIL_BYTES);
    const bytes = Buffer.allocUnsafe(TAIL_BYTES);
    const text = bytes.toString("utf8", 0, readSync(fd, bytes, 0, TAIL_BYTES, from));
    // What was cut in the middle is no line.
    return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } catch {
    return "";
  } finally {
    closeSync(fd);
  }
}
