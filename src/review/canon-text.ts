/** How a terminal shows a log in the end: colours gone, what a progress bar wrote over gone, no other control characters. */
export function settled(text: string): string {
  const plain = text.includes("\r") ? text.replaceAll("\r\n", "\n") : text;
  if (!CONTROL.test(plain)) return plain;
  const bare = plain.replace(UNMOVING, "");
  return CONTROL.test(bare) ? new Screen().show(bare) : bare;
}

// Written as texts: what is looked for are control characters.
const CSI = "(?:\\u001b\\[|\\u009b)";
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
/** Colours, titles, links, charsets, modes: what prints nothing and moves nothing. */
const UNMOVING = new RegExp(
  [
    `${CSI}[0-?]*[ -/]*[@HIL-~]`,
    "\\u001b[\\]PX^_][^\\u0007\\u001b\\u009c\\n]*(?:\\u0007|\\u001b\\\\|\\u009c)?",
    "\\u001b[ -/]+[0-~]",
    "[\\u0000-\\u0007\\u000e-\\u001a\\u007f]",
  ].join("|"),
  "g",
);
const PIECE = new RegExp(
  `${CSI}([0-?]*)[ -/]*([@-~])|\\u001b[0-~]?|[\\u0008\\n\\r\\u000b\\u000c\\u001c-\\u001f\\u0080-\\u009f]`,
  "g",
);

/** A longer line is not written over from another line: that would take time in the square of its length. */
const MAX_REOPENED = 4096;

/** Lines, and a cursor in one of them. There is no lower or right edge, so that the width of a terminal means nothing. */
class Screen {
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;
  /** The line of the cursor, while it is being written over; else it is only appended to. */
  #cells: string[] | null = null;

  show(text: string): string {
    let from = 0;
    for (const found of text.matchAll(PIECE)) {
      if (found.index > from) this.#print(text.slice(from, found.index));
      from = found.index + found[0].length;
      this.#obey(found[0], found[1] ?? "", found[2]);
    }
    if (from < text.length) this.#print(text.slice(from));
    this.#close();
    return this.#lines.join("\n");
  }

  #print(text: string): void {
    const line = this.#lines[this.#row] as string;
    if (this.#cells === null && this.#column >= line.length) {
      this.#lines[this.#row] = line.padEnd(this.#column) + text;
      this.#column += text.length;
      return;
    }
    this.#cells ??= line.split("");
    while (this.#cells.length < this.#column) this.#cells.push(" ");
    for (let at = 0; at < text.length; at += 1) this.#cells[this.#column++] = text[at] as string;
  }

  #obey(piece: string, parameters: string, final: string | undefined): void {
    const count = Math.max(1, Number.parseInt(parameters, 10) || 1);
    switch (final ?? piece) {
      case "\n":
        this.#close();
        if (this.#row === this.#lines.length - 1) this.#lines.push("");
        this.#row += 1;
        this.#column = 0;
        return;
      case "\r":
        this.#column = 0;
        return;
      case "\b":
      case "D":
        this.#column = Math.max(0, this.#column - count);
        return;
      case "C":
        this.#column += Math.min(count, MAX_REOPENED);
        return;
      case "G":
        this.#column = Math.min(count, MAX_REOPENED) - 1;
        return;
      case "A":
      case "F":
        this.#moveTo(Math.max(0, this.#row - count), final === "F");
        return;
      case "B":
      case "E":
        this.#moveTo(Math.min(this.#lines.length - 1, this.#row + count), final === "E");
        return;
      case "K":
        this.#eraseLine(parameters);
        return;
      case "J":
        this.#eraseLine(parameters === "" ? "0" : parameters);
        if (parameters === "" || parameters === "0") this.#lines.length = this.#row + 1;
        return;
    }
  }

  #moveTo(row: number, toStart: boolean): void {
    if ((this.#lines[row] as string).length > MAX_REOPENED) return;
    this.#close();
    this.#row = row;
    if (toStart) this.#column = 0;
  }

  #eraseLine(which: string): void {
    this.#close();
    const line = this.#lines[this.#row] as string;
    const kept =
      which === "2" ? "" : which === "1" ? " ".repeat(this.#column) + line.slice(this.#column) : null;
    this.#lines[this.#row] = kept ?? line.slice(0, this.#column);
  }

  #close(): void {
    if (this.#cells !== null) this.#lines[this.#row] = this.#cells.join("");
    this.#cells = null;
  }
}
