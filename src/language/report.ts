import type { Problem, ProblemCode } from "../core/problem.ts";
import { locate } from "./locate.ts";
import type { Inside } from "./node.ts";
import type { SourceText, Span } from "./source.ts";

/**
 * Collects what is wrong with a file, and gives it back in the order of the file; after it, what is wrong with the
 * files that it names.
 */
export class Problems {
  readonly source: SourceText;
  readonly #found = new Map<string, { file: number; offset: number; problem: Problem }>();
  readonly #files: string[] = [];

  constructor(source: SourceText) {
    this.source = source;
  }

  get none(): boolean {
    return this.#found.size === 0;
  }

  /** A value that several aliases share is read several times, but what is wrong with it is said once. */
  add(code: ProblemCode, at: Span | Inside, message: string, hint?: string): void {
    const other = "node" in at ? at.node.source : undefined;
    const source = other ?? this.source;
    let span: Span;
    if (!("node" in at)) span = at;
    else span = other ? { start: at.from, end: at.to } : locate(this.source.text, at);
    const problem: Problem = {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...source.place(span),
    };
    this.#keep(source.path, span.start, problem);
  }

  /** One that was found where the file was not a text yet. */
  take(problem: Problem): void {
    this.#keep(problem.position?.file ?? this.source.path, 0, problem);
  }

  #keep(path: string, offset: number, problem: Problem): void {
    if (path !== this.source.path && !this.#files.includes(path)) this.#files.push(path);
    const file = this.#files.indexOf(path);
    const key = `${file} ${offset} ${problem.code} ${problem.message}`;
    if (!this.#found.has(key)) this.#found.set(key, { file, offset, problem });
  }

  sorted(): readonly [Problem, ...Problem[]] | readonly [] {
    const all = [...this.#found.values()]
      .sort((a, b) => a.file - b.file || a.offset - b.offset)
      .map((found) => found.problem);
    const [first, ...rest] = all;
    return first ? [first, ...rest] : [];
  }
}
