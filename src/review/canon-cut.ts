import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import * as fs from "node:fs";

/** A longer log, artifact or other file of a step is given by its digest, its first and its last lines; bytes. */
export const MAX_TEXT_BYTES = 64 * 1024;
/** Of each end; bytes. */
const SHOWN_BYTES = 2 * 1024;
/** A file is read in pieces of about this size, cut where a line ends; bytes. */
const CHUNK_BYTES = 1 << 20;
/** … unless a line is longer than this. */
const MAX_LINE_BYTES = 16 << 20;

export interface CutText {
  readonly text: string;
  /** Of the bytes as they are, and of what they are in the canonical form; undefined if that is the same. */
  readonly changed?: {
    readonly from: string;
    readonly to: { readonly sha256: string; readonly bytes: number };
  };
}

/** The canonical text of a file; `clean` is given whole lines. */
export function cutFile(path: string, clean: (text: string) => string, isLog: boolean): CutText {
  const bytes = readSmall(path);
  if (bytes === null) return cutLargeFile(path, clean, isLog);
  if (!isLog && !isText(bytes)) return { text: binary(bytes.length, sha256(bytes)) };
  const before = bytes.toString("utf8");
  const text = clean(before);
  const after = text.length * 3 <= MAX_TEXT_BYTES ? 0 : Buffer.byteLength(text);
  const shown = after <= MAX_TEXT_BYTES ? text : shorten(text, after);
  if (text === before) return { text: shown };
  const to = { sha256: sha256(text), bytes: Buffer.byteLength(text) };
  return { text: shown, changed: { from: sha256(bytes), to } };
}

const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** The bytes of a file, good until the next call; null if they do not fit. Most are small, and each call counts. */
function readSmall(path: string): Buffer | null {
  const fd = fs.openSync(path, "r");
  try {
    const length = fs.readSync(fd, buffer, 0, CHUNK_BYTES, 0);
    return length < CHUNK_BYTES ? buffer.subarray(0, length) : null;
  } finally {
    fs.closeSync(fd);
  }
}

export function readSmallText(path: string): string {
  const bytes = readSmall(path);
  return bytes === null ? fs.readFileSync(path, "utf8") : bytes.toString("utf8");
}

/** The same in memory that does not grow with the file. */
function cutLargeFile(path: string, clean: (text: string) => string, isLog: boolean): CutText {
  const raw = createHash("sha256");
  const hash = createHash("sha256");
  let [before, after] = [0, 0];
  let head = "";
  let tail = "";
  let textual = true;
  for (const lines of chunksOf(path)) {
    before += lines.length;
    raw.update(lines);
    textual &&= isLog || isText(lines);
    if (!textual) continue;
    const text = clean(lines.toString("utf8"));
    hash.update(text);
    if (after < MAX_TEXT_BYTES) head += text.slice(0, MAX_TEXT_BYTES + 1);
    tail = (tail + text).slice(-MAX_TEXT_BYTES);
    after += Buffer.byteLength(text);
  }
  const from = raw.digest("hex");
  if (!textual) return { text: binary(before, from) };
  const to = { sha256: hash.digest("hex"), bytes: after };
  const text = after <= MAX_TEXT_BYTES ? head : ends(head, tail, to);
  return { text, ...(to.sha256 !== from && { changed: { from, to } }) };
}

function shorten(text: string, bytes: number): string {
  return ends(text, text, { sha256: sha256(text), bytes });
}

/** Depends on the text alone, not on how it was read. */
function ends(
  head: string,
  tail: string,
  whole: { readonly sha256: string; readonly bytes: number },
): string {
  const first = wholeLines(head.slice(0, SHOWN_BYTES), "start");
  const last = wholeLines(tail.slice(-SHOWN_BYTES), "end");
  const end = last === "" || last.endsWith("\n") ? last : `${last}\n`;
  return `<cut> ${whole.bytes} bytes, sha256 ${whole.sha256}; it begins:\n${first}<cut> and ends:\n${end}`;
}

function wholeLines(text: string, from: "start" | "end"): string {
  const at = from === "start" ? text.lastIndexOf("\n") : text.indexOf("\n");
  if (at < 0) return `${text.replace(HALF_CHARACTER, "")}\n`;
  return from === "start" ? text.slice(0, at + 1) : text.slice(at + 1);
}

/** Of a pair of surrogates that was cut in two. */
const HALF_CHARACTER = /^[\udc00-\udfff]|[\ud800-\udbff]$/g;

export function binary(bytes: number, digest: string): string {
  return `<binary> ${bytes} bytes, sha256 ${digest}\n`;
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function isText(bytes: Uint8Array): boolean {
  return !bytes.includes(0) && isUtf8(bytes);
}

function* chunksOf(path: string): Generator<Buffer> {
  const fd = fs.openSync(path, "r");
  try {
    let rest = Buffer.alloc(0);
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = fs.readSync(fd, chunk, 0, CHUNK_BYTES, null);
      const end = length === 0 ? -1 : chunk.lastIndexOf(10, length - 1);
      if (length === 0 || (end < 0 && rest.length > MAX_LINE_BYTES)) {
        if (rest.length > 0) yield rest;
        if (length === 0) return;
        rest = chunk.subarray(0, length);
      } else if (end < 0) rest = Buffer.concat([rest, chunk.subarray(0, length)]);
      else {
        yield Buffer.concat([rest, chunk.subarray(0, end + 1)]);
        rest = chunk.subarray(end + 1, length);
      }
    }
  } finally {
    fs.closeSync(fd);
  }
}
