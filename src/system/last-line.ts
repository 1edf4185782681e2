import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const TAIL_BYTES = 64 * 1024;

/** The last line of a file that is whole and not empty, as far as it lies in its last 64 KiB; "" if there is none. */
export function lastLine(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(fd);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const read = readSync(fd, tail, 0, tail.length, size - tail.length);
    const whole = tail.subarray(0, read).toString("utf8").split("\n").slice(0, -1);
    return whole.findLast((line) => line.trim() !== "") ?? "";
  } finally {
    closeSync(fd);
  }
}
