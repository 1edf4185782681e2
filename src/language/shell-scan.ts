import { type CommandFrame, commandFrame, type Frame, spotIn } from "./shell-frame.ts";
import { arithmeticEnd, type HereDocument, hereDelimiter, parameterHead } from "./shell-grammar.ts";
import { ARITHMETIC, DELIMITER, HERE, NAME, SINGLE, type Spot } from "./shell-spot.ts";
import type { Span } from "./source.ts";

const KEEPS_START = new Set([
  "then",
  "do",
  "else",
  "elif",
  "if",
  "while",
  "until",
  "time",
  "for",
  "{",
  "}",
  "!",
]);

/** Says of each template (in the order of the script) where it stands. */
export function scanShell(script: string, templates: readonly Span[]): Spot[] {
  return new ShellScanner(script, templates).run();
}

class ShellScanner {
  readonly #text: string;
  readonly #templates: readonly Span[];
  readonly #spots: Spot[] = [];
  readonly #frames: Frame[] = [commandFrame(null)];
  #pending: HereDocument[] = [];
  #at = 0;
  #isWordStart = true;

  constructor(text: string, templates: readonly Span[]) {
    this.#text = text;
    this.#templates = templates;
  }

  run(): Spot[] {
    while (this.#at < this.#text.length) {
      const frame = this.#frames.at(-1) as Frame;
      if (frame.kind === "here" && this.#at >= frame.end) {
        this.#frames.pop();
        this.#at = frame.after;
      } else if (!this.#takeTemplate(spotIn(frame))) this.#step(frame, this.#text[this.#at] ?? "");
    }
    return this.#spots;
  }

  /** If a template begins here: records where it stands, and goes past it. */
  #takeTemplate(spot: Spot): boolean {
    const template = this.#templates[this.#spots.length];
    if (template?.start !== this.#at) return false;
    this.#spots.push(spot);
    this.#at = template.end;
    this.#isWordStart = false;
    const frame = this.#frames.at(-1);
    if (frame?.kind === "command") frame.isStart = false;
    return true;
  }

  /** Goes on to `end`; all templates on the way stand in `spot`. */
  #skipTo(end: number, spot: Spot): void {
    while (this.#at < end) if (!this.#takeTemplate(spot)) this.#at++;
  }

  #step(frame: Frame, char: string): void {
    if (frame.kind === "command" && char !== "\\" && char !== "$") {
      this.#command(frame, char);
      return;
    }
    this.#isWordStart = false;
    if (frame.kind === "command") frame.isStart = false;
    if (char === "\\" && frame.kind !== "arithmetic") this.#at += 2;
    else if (char === "$") this.#dollar(frame);
    else if (char === "`") this.#push(commandFrame("`"), 1);
    else if (frame.kind === "double" && char === '"') this.#pop(1);
    else if (frame.kind === "parameter") this.#parameter(frame.place, char);
    else if (frame.kind === "arithmetic") this.#arithmetic(frame, char);
    else this.#at++;
  }

  #parameter(place: string, char: string): void {
    if (char === "}") this.#pop(1);
    else if (char === '"' && place !== "arithmetic") this.#push({ kind: "double" }, 1);
    else if (char === "'" && place !== "quoted") this.#single(1);
    else this.#at++;
  }

  #arithmetic(frame: Frame & { kind: "arithmetic" }, char: string): void {
    if (char === "(") frame.depth++;
    const isEnd = frame.depth === 0 && this.#text.startsWith(frame.close, this.#at);
    if (char === ")" && !isEnd) frame.depth--;
    if (isEnd) this.#pop(frame.close.length);
    else this.#at++;
  }

  #dollar(frame: Frame): void {
    const text = this.#text;
    const next = text[this.#at + 1] ?? "";
    if (next === "(" && text[this.#at + 2] === "(" && arithmeticEnd(text, this.#at + 1)) {
      this.#push({ kind: "arithmetic", close: "))", depth: 0 }, 3);
    } else if (next === "(") this.#push(commandFrame(")"), 2);
    else if (next === "[") this.#push({ kind: "arithmetic", close: "]", depth: 0 }, 2);
    else if (next === "{" && !this.#isTemplate(this.#at + 1)) this.#openParameter(frame);
    else if (next === "'" && frame.kind === "command") this.#single(2);
    else if (this.#isTemplate(this.#at + 1)) {
      this.#at++;
      this.#takeTemplate(NAME);
    } else this.#at++;
  }

  #isTemplate(at: number): boolean {
    return this.#templates[this.#spots.length]?.start === at;
  }

  #openParameter(outer: Frame): void {
    this.#at += 2;
    const head = parameterHead(this.#text, this.#at);
    this.#skipTo(this.#at + head.nameLength, NAME);
    this.#takeTemplate(NAME);
    this.#skipTo(this.#at + head.subscriptLength, ARITHMETIC);
    const isInArithmetic = spotIn(outer) === ARITHMETIC;
    const isQuoted = outer.kind !== "command" && spotIn(outer).kind === "quoted";
    let place: "word" | "quoted" | "pattern" | "arithmetic" = isQuoted ? "quoted" : "word";
    if (isInArithmetic || head.operation === "offset") place = "arithmetic";
    else if (head.operation === "pattern") place = "pattern";
    this.#push({ kind: "parameter", place }, head.operationLength);
  }

  #command(frame: CommandFrame, char: string): void {
    if (/\s/.test(char)) this.#space(frame, char);
    else if (char === "#" && this.#isWordStart) this.#comment(frame);
    else if (char === "'") this.#single(1, frame);
    else if (char === '"') this.#push({ kind: "double" }, 1, frame);
    else if (char === "`" && frame.close === "`") this.#pop(1);
    else if (char === "`") this.#push(commandFrame("`"), 1, frame);
    else if (char === "(") this.#parenthesis(frame);
    else if (char === ")" && frame.cases === 0 && frame.close === ")") this.#pop(1);
    else if (";&|<>)".includes(char)) this.#operator(frame, char);
    else this.#word(frame);
  }

  #operator(frame: CommandFrame, char: string): void {
    const isHereString = this.#text.startsWith("<<<", this.#at);
    if (!isHereString && this.#text.startsWith("<<", this.#at)) {
      this.#hereOperator();
      return;
    }
    this.#at += isHereString ? 3 : 1;
    this.#isWordStart = true;
    if (!"<>".includes(char)) frame.isStart = true;
  }

  #word(frame: CommandFrame): void {
    const rest = this.#text.slice(this.#at, this.#at + 16);
    const word = this.#isWordStart ? (/^(?:[a-z]+|[{}!])(?=[\s;&|()]|$)/.exec(rest)?.[0] ?? "") : "";
    const wasStart = frame.isStart;
    frame.isStart = wasStart && KEEPS_START.has(word);
    if (word === "case" && wasStart) frame.cases++;
    else if (word === "esac" && wasStart && frame.cases > 0) frame.cases--;
    else if (word === "in" && frame.cases > 0) frame.isStart = true;
    this.#at += Math.max(1, word.length);
    this.#isWordStart = false;
  }

  #space(frame: CommandFrame, char: string): void {
    this.#at++;
    this.#isWordStart = true;
    if (char !== "\n") return;
    frame.isStart = true;
    const [first, ...rest] = this.#pending;
    if (!first) return;
    this.#pending = rest;
    const { end, after } = first.find(this.#text, this.#at);
    if (first.isQuoted) {
      this.#skipTo(end, HERE);
      this.#at = after;
    } else this.#frames.push({ kind: "here", end, after });
    // The newline after the delimiter is read again, so that the next body is found by it.
    if (rest.length > 0 && first.isQuoted) this.#at = Math.max(this.#at - 1, 0);
    else if (rest.length > 0) (this.#frames.at(-1) as Frame & { kind: "here" }).after = after - 1;
  }

  #comment(frame: CommandFrame): void {
    const length = this.#text.slice(this.#at).search(frame.close === "`" ? /[\n`]/ : /\n/);
    this.#skipTo(length < 0 ? this.#text.length : this.#at + length, { kind: "comment" });
  }

  #hereOperator(): void {
    const found = hereDelimiter(this.#text, this.#at);
    if (found) this.#pending.push(found.document);
    this.#skipTo(this.#at + (found?.length ?? 2), DELIMITER);
    this.#takeTemplate(DELIMITER);
    this.#isWordStart = false;
  }

  #parenthesis(frame: CommandFrame): void {
    if (frame.isStart && this.#text[this.#at + 1] === "(" && arithmeticEnd(this.#text, this.#at)) {
      this.#push({ kind: "arithmetic", close: "))", depth: 0 }, 2, frame);
    } else this.#push(commandFrame(")"), 1, frame);
  }

  /** Goes past `'…'` or `$'…'`. */
  #single(opening: 1 | 2, frame?: CommandFrame): void {
    this.#at += opening;
    const end = opening === 2 ? /\\[\s\S]|'/g : /'/g;
    end.lastIndex = this.#at;
    let found = end.exec(this.#text);
    while (found && found[0] !== "'") found = end.exec(this.#text);
    this.#skipTo(found ? found.index + 1 : this.#text.length, SINGLE);
    this.#isWordStart = false;
    if (frame) frame.isStart = false;
  }

  #push(frame: Frame, length: number, outer?: CommandFrame): void {
    this.#at += length;
    this.#frames.push(frame);
    this.#isWordStart = true;
    if (outer) outer.isStart = false;
  }

  #pop(length: number): void {
    this.#at += length;
    this.#frames.pop();
    this.#isWordStart = false;
  }
}
