import { Composer, type CST, type Document, isMap, isSeq, Lexer, type ParsedNode, Parser } from "yaml";
import type { Node } from "./node.ts";
import { Problems } from "./report.ts";
import type { SourceText } from "./source.ts";
import { TreeBuilder } from "./tree.ts";

/** As `parse.ts` reads a file; its check for repeated keys takes time in the square of their number. */
export const YAML_OPTIONS = {
  uniqueKeys: false,
  prettyErrors: false,
  version: "1.2",
  schema: "core",
  logLevel: "silent",
} as const;

/** How many items of a list become part of the tree at once. */
const ITEMS = 128;
/** The parser still looks at the last two items of a list. */
const KEPT = 2;

/**
 * The tree of a large file, whose tokens and nodes of the parser together take many times the memory of the tree: a
 * long list is taken from the parser and built while the rest is read. Null if the file holds anything but one plain
 * document without a fault, anchors and directives; it is then to be read as a whole, and what is wrong be said.
 */
export function parseInPieces(source: SourceText, items = ITEMS): Node | null {
  const problems = new Problems(source);
  const builder = new TreeBuilder(problems);
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let isScalar = false;
  for (const lexeme of new Lexer().lex(source.text)) {
    if (!isScalar && (lexeme.startsWith("&") || lexeme.startsWith("*"))) return null;
    isScalar = lexeme === "\x1f";
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (!lexeme.endsWith("\n")) continue;
    for (const [depth, token] of parser.stack.entries()) {
      if (token.type !== "block-seq" || token.items.length < items + KEPT) continue;
      if (!takePiece(parser.stack.slice(0, depth), token, builder)) return null;
    }
  }
  tokens.push(...parser.end());
  if (tokens.some(({ type }) => type === "directive")) return null;
  const contents = contentsOf(tokens);
  if (contents === null) return null;
  const root = builder.build(contents, 0);
  return problems.none ? root : null;
}

/** Moves the list's items that are complete into the tree. */
function takePiece(around: readonly CST.Token[], list: CST.BlockSequence, builder: TreeBuilder): boolean {
  const items = list.items.splice(0, list.items.length - KEPT);
  // What stands around a node has a say in what it means, so it is composed with it.
  let inner: CST.Token = { ...list, items };
  for (const token of around.toReversed()) {
    const outer = withOnly(token, inner);
    if (outer === null) return false;
    inner = outer;
  }
  let node: unknown = contentsOf([inner]);
  for (const _ of around.slice(1)) {
    if (isMap(node)) node = node.items[0]?.value;
    else if (isSeq(node)) node = node.items[0];
  }
  if (!isSeq(node) || node.items.length !== items.length) return false;
  builder.addPiece(list.offset, node.items as ParsedNode[], around.length);
  return true;
}

/** The token, as if the node in it that is not complete yet were its only one. */
function withOnly(token: CST.Token, node: CST.Token): CST.Token | null {
  if (token.type === "document") return { ...token, value: node };
  if (token.type === "block-seq")
    return { ...token, items: [{ start: token.items.at(-1)?.start ?? [], value: node }] };
  const last = token.type === "block-map" ? token.items.at(-1) : undefined;
  if (token.type !== "block-map" || !last?.sep) return null;
  return { ...token, items: [{ ...last, value: node }] };
}

function contentsOf(tokens: readonly CST.Token[]): ParsedNode | null {
  const composer = new Composer<ParsedNode>(YAML_OPTIONS);
  const documents: Document.Parsed[] = [...composer.compose(tokens)];
  const [document] = documents;
  if (!document || documents.length > 1) return null;
  return document.errors.length + document.warnings.length > 0 ? null : document.contents;
}
