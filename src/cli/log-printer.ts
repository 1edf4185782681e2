import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { Tail } from "../review/follow.ts";
import { ATTEMPT_FILES, attemptPath } from "../store/layout.ts";
import { isStdoutClosed, printJsonLine, write, writeAndWait } from "./output.ts";
import { logHeader } from "./render/log.ts";
import { neutralize } from "./render/text.ts";

interface Source {
  readonly step: string;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly tail: Tail;
  readonly decoder: StringDecoder;
  /** With `--json`: the beginning of a line whose end is not there yet. */
  rest: string;
}

/**
 * Prints log files from their beginning and as they grow, with a header where the file changes. Bytes pass as they
 * are, except to a terminal.
 */
export class LogPrinter {
  readonly #runDir: string;
  readonly #json: boolean;
  readonly #streams: readonly ("stdout" | "stderr")[];
  readonly #sources: Source[] = [];
  #last: Source | undefined;
  #atLineStart = true;

  constructor(runDir: string, options: { readonly stderrOnly: boolean; readonly json: boolean }) {
    this.#runDir = runDir;
    this.#json = options.json;
    this.#streams = options.stderrOnly ? ["stderr"] : ["stdout", "stderr"];
  }

  add(step: string, attempt: number): void {
    for (const stream of this.#streams) {
      const tail = new Tail(join(this.#runDir, attemptPath({ step, attempt }), ATTEMPT_FILES[stream]));
      this.#sources.push({ step, attempt, stream, tail, decoder: new StringDecoder("utf8"), rest: "" });
    }
  }

  /** Prints what is new, at most a chunk of each file. */
  look(): void {
    for (const source of this.#sources) {
      const bytes = source.tail.read();
      if (bytes.length > 0) write(this.#render(source, bytes));
    }
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

  #jsonLine({ step, attempt, stream }: Source, text: string): void {
    printJsonLine({ step, attempt, stream, text });
  }

  #headerFor(source: Source): string {
    if (this.#last === source) return "";
    const first = this.#last === undefined;
    this.#last = source;
    if (this.#sources.length <= this.#streams.length && first && source.stream === "stdout") return "";
    return `${first ? "" : this.#atLineStart ? "\n" : "\n\n"}${logHeader(source.step, source.attempt, source.stream)}\n`;
  }
}
