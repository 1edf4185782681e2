import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { type AttemptName, nameWithin } from "../core/ids.ts";
import { Tail } from "../review/journal-tail.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { isStdoutClosed, printJsonLine, write, writeAndWait } from "./output.ts";
import { logHeader } from "./render/log.ts";
import { neutralize } from "./render/text.ts";

/** An attempt whose log is printed. */
export interface Logged {
  /** The run that it is of, and the steps that this is in. */
  readonly runDir: string;
  readonly within: string;
  readonly attempt: AttemptName;
}

interface Source extends Logged {
  readonly stream: "stdout" | "stderr";
  readonly tail: Tail;
  readonly decoder: StringDecoder;
  /** With `--json`: the beginning of a line whose end is not there yet. */
  rest: string;
  /** The attempt has ended: nothing more comes. */
  over: boolean;
}

/**
 * Prints log files from their beginning and as they grow, with a header where the file changes. Bytes pass as they
 * are, except to a terminal.
 */
export class LogPrinter {
  readonly #json: boolean;
  readonly #streams: readonly ("stdout" | "stderr")[];
  #sources: Source[] = [];
  /** The attempts that were added, by their folders. */
  readonly #added = new Set<string>();
  #last: Source | undefined;
  #atLineStart = true;

  constructor(options: { readonly stderrOnly: boolean; readonly json: boolean }) {
    this.#json = options.json;
    this.#streams = options.stderrOnly ? ["stderr"] : ["stdout", "stderr"];
  }

  /** One that was added already is not printed again. */
  add(logged: Logged): void {
    const folder = attemptDir(logged.runDir, logged.attempt);
    if (this.#added.has(folder)) return;
    this.#added.add(folder);
    for (const stream of this.#streams) {
      const tail = new Tail(join(folder, ATTEMPT_FILES[stream]));
      const decoder = new StringDecoder("utf8");
      this.#sources.push({ ...logged, stream, tail, decoder, rest: "", over: false });
    }
  }

  /** The attempt has ended: once its log is printed it is not looked at again. */
  ended(runDir: string, attempt: AttemptName): void {
    const folder = attemptDir(runDir, attempt);
    for (const source of this.#sources)
      if (attemptDir(source.runDir, source.attempt) === folder) source.over = true;
  }

  /** Prints what is new, at most a chunk of each file. */
  look(): void {
    const over = new Set<Source>();
    for (const source of this.#sources) {
      const bytes = source.tail.read();
      if (bytes.length > 0) write(this.#render(source, bytes));
      else if (source.over) over.add(source);
    }
    for (const source of over) if (this.#json) this.#flushLine(source);
    if (over.size > 0) this.#sources = this.#sources.filter((source) => !over.has(source));
  }

  /** Prints all there is. */
  async drain(): Promise<void> {
    for (const source of this.#sources) {
      for (let bytes = source.tail.read(); bytes.length > 0; bytes = source.tail.read()) {
        await writeAndWait(this.#render(source, bytes));
        if (isStdoutClosed()) return;
      }
    }
    if (!this.#json) return;
    for (const source of this.#sources) this.#flushLine(source);
  }

  #render(source: Source, bytes: Buffer): string | Uint8Array {
    if (this.#json) {
      this.#renderJson(source, bytes);
      return "";
    }
    const header = this.#headerFor(source);
    this.#atLineStart = bytes.at(-1) === 10;
    const body = process.stdout.isTTY === true ? neutralize(source.decoder.write(bytes)) : bytes;
    return typeof body === "string" ? header + body : Buffer.concat([Buffer.from(header), body]);
  }

  #renderJson(source: Source, bytes: Buffer): void {
    const lines = (source.rest + source.decoder.write(bytes)).split("\n");
    source.rest = lines.pop() ?? "";
    for (const text of lines) this.#jsonLine(source, text);
  }

  #flushLine(source: Source): void {
    if (source.rest !== "") this.#jsonLine(source, source.rest);
    source.rest = "";
  }

  #jsonLine({ within, attempt: { step, item, attempt }, stream }: Source, text: string): void {
    const ofRun = within === "" ? {} : { within };
    printJsonLine({ ...ofRun, step, ...(item !== undefined && { item }), attempt, stream, text });
  }

  #headerFor(source: Source): string {
    if (this.#last === source) return "";
    const first = this.#last === undefined;
    this.#last = source;
    if (this.#added.size === 1 && first && source.stream === "stdout") return "";
    return `${first ? "" : this.#atLineStart ? "\n" : "\n\n"}${logHeader(nameWithin(source.within, source.attempt), source.attempt.attempt, source.stream)}\n`;
  }
}
