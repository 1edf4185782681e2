import { type Document, type ParsedNode, parseAllDocuments } from "yaml";
import type { Node } from "./node.ts";
import { parseInPieces, YAML_OPTIONS } from "./pieces.ts";
import type { Problems } from "./report.ts";
import { TreeBuilder } from "./tree.ts";

/** From here on the parser's memory is more than that of all the rest, in characters. */
const LARGE = 32 * 1024;

/** The file's one document as a tree; null if there is none, or if its syntax is so wrong that there is no tree. */
export function parseYaml(problems: Problems): Node | null {
  const { text } = problems.source;
  const tree = text.length < LARGE ? null : parseInPieces(problems.source);
  if (tree !== null) return tree;
  const documents = read(problems);
  if (documents === null) return null;
  const [document, second] = documents;
  if (!document) {
    problems.add("YAML_DOCUMENTS", { start: 0, end: 0 }, "the file is empty");
    return null;
  }
  checkDirectives(document, problems);
  for (const error of documents.flatMap((each) => each.errors)) {
    const [start, end] = error.pos;
    const line = error.message.split("\n")[0] ?? "";
    problems.add("YAML_SYNTAX", { start, end }, lowerFirst(line), syntaxHint(error.code, text, start));
    // What comes after it is mostly the same mistake, once for each further word.
    if (error.code === "UNEXPECTED_TOKEN") break;
  }
  if (second) {
    const start = second.range[0];
    const at = text.lastIndexOf("---", second.contents?.range[0] ?? start);
    problems.add(
      "YAML_DOCUMENTS",
      { start: at < 0 ? start : at, end: (at < 0 ? start : at) + 3 },
      `the file holds ${documents.length} documents, it must hold one`,
      "put each workflow in a file of its own, or list them under `workflows:`",
    );
  }
  if (document.errors.length > 0) return null;
  if (document.contents === null) {
    problems.add("YAML_DOCUMENTS", { start: 0, end: 0 }, "the file is empty");
    return null;
  }
  return new TreeBuilder(problems).build(document.contents, 0);
}

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BLOCK_AS_IMPLICIT_KEY: "a value with `: ` in it must be put in quotes",
  BAD_SCALAR_START: "put the value in quotes",
  BAD_DQ_ESCAPE: "use single quotes if the backslash is meant as it is",
};

function syntaxHint(code: string, text: string, at: number): string | undefined {
  const hint = SYNTAX_HINTS[code];
  if (hint !== undefined) return hint;
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at + 2);
  return /\{\{|: [*&!%@`]/.test(line) ? "put a value that holds {{ or a sign of YAML in quotes" : undefined;
}

function read(problems: Problems): Document.Parsed<ParsedNode>[] | null {
  try {
    const documents = parseAllDocuments(problems.source.text, YAML_OPTIONS);
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.add("YAML_SYNTAX", { start: 0, end: 0 }, "the file is nested too deeply");
    return null;
  }
}

function checkDirectives(document: Document.Parsed, problems: Problems): void {
  const { yaml } = document.directives;
  if (yaml.explicit && yaml.version !== "1.2") {
    const start = Math.max(0, problems.source.text.search(/^%YAML/m));
    const end = problems.source.text.slice(start).search(/\r?\n|$/) + start;
    const hint = "remove the line: files are YAML 1.2";
    problems.add("YAML_VERSION", { start, end }, `YAML ${yaml.version} is not supported`, hint);
  }
  for (const warning of document.warnings) {
    const [start, end] = warning.pos;
    const line = warning.message.split("\n")[0] ?? "";
    if (warning.code === "BAD_DIRECTIVE" && line.includes("YAML version")) {
      problems.add("YAML_VERSION", { start, end }, lowerFirst(line), "remove the line: files are YAML 1.2");
    } else if (warning.code === "BAD_DIRECTIVE")
      problems.add("YAML_SYNTAX", { start, end }, lowerFirst(line));
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
