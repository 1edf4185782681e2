import { isUtf8 } from "node:buffer";
import type { Position, Problem } from "../core/problem.ts";

/** A stretch of the text, as offsets in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A file's text, and what turns an offset in it into line and column. */
export class SourceText {
  readonly path: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  #lines(): number[] {
    if (this.#lineStarts) return this.#lineStarts;
    const starts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
    return starts;
  }

  /** Index of the line that holds `offset`, from 0. */
  #lineOf(offset: number): number {
    const starts = this.#lines();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where a span stands, and its line, as a problem shows them. */
  place(span: Span): { position: Position; excerpt: { text: string; length: number } } {
    const line = this.#lineOf(span.start);
    const from = this.#lines()[line] ?? 0;
    const next = this.text.indexOf("\n", from);
    const text = this.text.slice(from, next < 0 ? undefined : next).replace(/\r$/, "");
    const column = [...this.text.slice(from, span.start)].length + 1;
    const marked = this.text.slice(span.start, Math.min(span.end, from + text.length));
    return {
      position: { file: this.path, line: line + 1, column },
      excerpt: { text, length: Math.max(1, [...marked].length) },
    };
  }
}

export type Decoded =
  | { readonly ok: true; readonly source: SourceText }
  | { readonly ok: false; readonly problem: Problem };

// Control characters but tab and line ends, DEL, C1 but NEL, halves of surrogate pairs, non-characters, a second BOM.
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]|\r(?!\n)|\p{Cs}/u;

/** Bytes to text: UTF-8, with or without a byte order mark, and nothing in it that can not be seen. */
export function decode(path: string, bytes: Uint8Array): Decoded {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    const problem: Problem = {
      code: "YAML_ENCODING",
      message: "the file is UTF-16, it must be UTF-8",
      hint: `convert it: iconv -f UTF-16 -t UTF-8 ${path}`,
      position: { file: path, line: 1, column: 1 },
    };
    return { ok: false, problem };
  }
  const text = new TextDecoder("utf-8").decode(bytes);
  const source = new SourceText(path, text);
  if (!isUtf8(bytes)) return invalidUtf8(source, bytes);
  const found = UNPRINTABLE.exec(text);
  if (!found) return { ok: true, source };
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const count = text.match(new RegExp(UNPRINTABLE, "gu"))?.length ?? 1;
  const more = count > 1 ? ` (and ${count - 1} more like it)` : "";
  const problem: Problem = {
    code: "YAML_ENCODING",
    message: `the character U+${code} is not allowed here${more}`,
    hint: 'remove it, or write it as an escape in double quotes, such as "\\x1b"',
    ...source.place({ start: found.index, end: found.index + 1 }),
  };
  return { ok: false, problem };
}

function invalidUtf8(source: SourceText, bytes: Uint8Array): Decoded {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const given = hasMark ? bytes.subarray(3) : bytes;
  const repaired = Buffer.from(source.text);
  let at = 0;
  while (at < given.length && given[at] === repaired[at]) at++;
  const start = new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(given.subarray(0, at))
    .replace(/\ufffd$/, "").length;
  const byte = (given[at] ?? 0).toString(16).padStart(2, "0");
  const problem: Problem = {
    code: "YAML_ENCODING",
    message: `the byte 0x${byte} is not UTF-8`,
    hint: "save the file as UTF-8",
    ...source.place({ start, end: start + 1 }),
  };
  return { ok: false, problem };
}
