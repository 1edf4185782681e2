import type { Problem } from "../core/problem.ts";
import { folderOf } from "./beside.ts";
import type { GivenFile } from "./load.ts";
import type { MapNode } from "./node.ts";
import { parseYaml } from "./parse.ts";
import { PromptFiles } from "./prompt-file.ts";
import { Reader } from "./read.ts";
import { Problems } from "./report.ts";
import { decode } from "./source.ts";
import { type Book, readBook } from "./workbook.ts";

export interface OpenFile {
  /** Relative to the folder of the first file; empty for that one. */
  readonly path: string;
  readonly given: GivenFile;
  readonly root: MapNode;
  readonly book: Book;
  readonly prompts: PromptFiles;
  readonly reader: Reader;
}

/** The workflow file, and those that it names; each is opened once. */
export class WorkflowFiles {
  /** Null: there is such a file, and it can not be read. */
  readonly #open = new Map<string, OpenFile | null>();
  readonly #reports: (() => readonly Problem[])[] = [];

  first(given: GivenFile): OpenFile | null {
    return this.#add("", given);
  }

  /** `path` is relative to `from`. */
  beside(from: OpenFile, path: string): OpenFile | "missing" | null {
    const whole = folderOf(from.path) + path;
    const known = this.#open.get(whole);
    if (known !== undefined) return known;
    const { given } = from;
    const bytes = given.readFile?.(path, "workflow");
    if (!bytes) return "missing";
    const folder = folderOf(path);
    // Of what a nested file needs nothing is the first file's own.
    const readFile = (name: string) => given.readFile?.(folder + name, "workflow") ?? null;
    return this.#add(whole, { path: folderOf(given.path) + path, bytes, readFile });
  }

  /** In the order in which the files were opened. A file that names itself is opened twice, and said to be wrong once. */
  problems(): readonly Problem[] {
    const found = new Map<string, Problem>();
    for (const report of this.#reports)
      for (const problem of report()) found.set(JSON.stringify(problem), problem);
    return [...found.values()];
  }

  #add(path: string, given: GivenFile): OpenFile | null {
    const file = this.#read(path, given);
    this.#open.set(path, file);
    return file;
  }

  #read(path: string, given: GivenFile): OpenFile | null {
    const decoded = decode(given.path, given.bytes);
    if (!decoded.ok) {
      this.#reports.push(() => [decoded.problem]);
      return null;
    }
    const problems = new Problems(decoded.source);
    this.#reports.push(() => problems.sorted());
    const reader = new Reader(problems);
    const node = parseYaml(problems);
    const root = node && reader.map(node, "the file", "it begins with `id:` and `steps:`");
    if (!root) return null;
    return {
      path,
      given,
      root,
      book: readBook(root, reader),
      prompts: new PromptFiles(given, reader),
      reader,
    };
  }
}
