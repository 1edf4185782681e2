import type { Problem, ProblemCode } from "../core/problem.ts";
import { locate } from "./locate.ts";
import type { Inside } from "./node.ts";
import type { SourceText, Span } from "./source.ts";

/** Collects what is wrong with a file, and gives it back in the order of the file. */
export class Problems {
  readonly source: SourceText;
  readonly #found = new Map<string, { offset: number; problem: Problem }>();

  constructor(source: SourceText) {
    this.source = source;
  }

  get none(): boolean {
    return this.#found.size === 0;
  }

  /** A value that several aliases share is read several times, but what is wrong with it is said once. */
  add(code: ProblemCode, at: Span | Inside, message: string, hint?: string): void {
    const span = "node" in at ? locate(this.source.text, at) : at;
    const problem: Problem = {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...this.source.place(span),
    };
    const key = `${span.start} ${code} ${message}`;
    if (!this.#found.has(key)) this.#found.set(key, { offset: span.start, problem });
  }

  sorted(): readonly [Problem, ...Problem[]] | readonly [] {
    const all = [...this.#found.values()].sort((a, b) => a.offset - b.offset).map((found) => found.problem);
    const [first, ...rest] = all;
    return first ? [first, ...rest] : [];
  }
}
