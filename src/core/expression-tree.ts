import type { ASTNode } from "@marcbachmann/cel-js";

export interface ExpressionFault {
  readonly message: string;
  /** In the expression's text. */
  readonly offset: number;
  readonly length: number;
  /** True if a regular expression in it is at fault. */
  readonly isPattern?: boolean;
}

/** A path that an expression names, such as `inputs["dry-run"]`, as far as it does not depend on values. */
export interface ExpressionReference {
  readonly segments: readonly string[];
  readonly offset: number;
  readonly length: number;
}

/** The names that expressions see; the last two in a step with `foreach`. */
export const ROOTS: readonly string[] = ["inputs", "steps", "workflow", "env", "item", "item_index"];

/** Functions whose first argument is a name of their own, for the arguments after it. */
const MACROS: readonly string[] = ["all", "exists", "exists_one", "map", "filter", "bind"];

export type JudgePattern = (pattern: string) => { readonly message: string } | null;

/** The first fault of a regular expression in a tree. */
export function matchesFault(node: ASTNode, patternFault: JudgePattern): ExpressionFault | null {
  const pattern = patternNode(node);
  if (pattern) {
    const at = {
      offset: pattern.range.start,
      length: pattern.range.end - pattern.range.start,
      isPattern: true,
    };
    if (pattern.op !== "value" || typeof pattern.args !== "string") {
      return { message: "the regular expression of matches() must be written out in quotes", ...at };
    }
    const fault = patternFault(pattern.args);
    if (fault) return { message: `"${pattern.args}" ${fault.message}`, ...at };
  }
  for (const child of childrenOf(node)) {
    const fault = matchesFault(child, patternFault);
    if (fault) return fault;
  }
  return null;
}

function patternNode(node: ASTNode): ASTNode | undefined {
  if (node.op === "rcall" && node.args[0] === "matches") return node.args[2][0];
  if (node.op === "call" && node.args[0] === "matches") return node.args[1][1];
  return undefined;
}

/** The paths in a tree that begin with a name that expressions see. */
export function collectReferences(ast: ASTNode): ExpressionReference[] {
  const found: ExpressionReference[] = [];
  collect(ast, [], found);
  return found;
}

/** `own`: names of macros around the node, which hide those that all expressions see. */
function collect(node: ASTNode, own: readonly string[], found: ExpressionReference[]): void {
  const segments = pathOf(node);
  const [root = ""] = segments ?? [];
  if (segments && ROOTS.includes(root)) {
    if (own.includes(root)) return;
    found.push({ segments, offset: node.range.start, length: node.range.end - node.range.start });
    return;
  }
  const [name, inner] = macroIn(node) ?? [];
  for (const child of childrenOf(node)) {
    const isInner = name !== undefined && inner?.includes(child);
    collect(child, isInner ? [...own, name] : own, found);
  }
}

/** The name that a macro gives to its elements, and the arguments in which it has it. */
function macroIn(node: ASTNode): [string, readonly ASTNode[]] | null {
  if (node.op !== "rcall" || !MACROS.includes(node.args[0])) return null;
  const [name, ...rest] = node.args[2];
  if (name?.op !== "id") return null;
  return [name.args, [name, ...(node.args[0] === "bind" ? rest.slice(1) : rest)]];
}

function pathOf(node: ASTNode): string[] | null {
  if (node.op === "id") return [node.args];
  if (node.op === ".") {
    const before = pathOf(node.args[0]);
    return before && [...before, node.args[1]];
  }
  if (node.op !== "[]") return null;
  const [of, index] = node.args;
  const before = pathOf(of);
  return before && index.op === "value" && typeof index.args === "string" ? [...before, index.args] : null;
}

function childrenOf(node: ASTNode): ASTNode[] {
  const nodes = (value: unknown): ASTNode[] => {
    if (Array.isArray(value)) return value.flatMap(nodes);
    return typeof value === "object" && value !== null && "op" in value ? [value as ASTNode] : [];
  };
  return nodes(node.args);
}
