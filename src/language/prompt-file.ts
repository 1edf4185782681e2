import { BESIDE_HINT, besideFault, folderOf, normalPath } from "./beside.ts";
import type { GivenFile } from "./load.ts";
import type { Reader, TextNode } from "./read.ts";
import { decode } from "./source.ts";

/** The text of a file that a step names, and the file's path as the run keeps it. */
export interface PromptText {
  readonly text: TextNode;
  /** Relative to the workflow file; no `.` or `..` in it. */
  readonly path: string;
}

/** Reads the files of prompts beside a workflow file, each once. */
export class PromptFiles {
  readonly #file: GivenFile;
  readonly #reader: Reader;
  readonly #read = new Map<string, TextNode | null>();

  constructor(file: GivenFile, reader: Reader) {
    this.#file = file;
    this.#reader = reader;
  }

  /** Null if there is none that can be read; it has been reported. */
  read(node: TextNode): PromptText | null {
    const fault = besideFault(node.value);
    if (fault)
      return this.#reader.refuse("BAD_VALUE", node, `\`prompt_file\` ${fault}: "${node.value}"`, BESIDE_HINT);
    const path = normalPath(node.value);
    let text = this.#read.get(path);
    if (text === undefined) {
      text = this.#open(path, node);
      this.#read.set(path, text);
    }
    return text && { text, path };
  }

  #open(path: string, node: TextNode): TextNode | null {
    const shown = folderOf(this.#file.path) + path;
    const bytes = this.#file.readFile?.(path, "prompt") ?? null;
    if (!bytes) {
      const hint = "`prompt_file` is relative to the workflow file";
      return this.#reader.refuse("FILE_NOT_FOUND", node, `there is no file ${shown}`, hint);
    }
    const decoded = decode(shown, bytes);
    if (!decoded.ok) {
      this.#reader.problems.take(decoded.problem);
      return null;
    }
    const { source } = decoded;
    if (source.text.trim() === "") return this.#reader.refuse("BAD_VALUE", node, `${shown} is empty`);
    return { kind: "scalar", style: "block", value: source.text, start: 0, end: source.text.length, source };
  }
}
