import { createRequire } from "node:module";
import type { ASTNode, Environment } from "@marcbachmann/cel-js";
import {
  collectReferences,
  type ExpressionFault,
  type ExpressionReference,
  matchesFault,
  ROOTS,
} from "./expression-tree.ts";
import type { Json } from "./json.ts";
import { isJsonObject } from "./json.ts";
import type { Expression } from "./workflow.ts";

/** What `when` sees. In a graph `steps` holds ancestors only, so that timing decides nothing. */
export interface ExpressionScope {
  readonly inputs: Readonly<Record<string, Json>>;
  readonly steps: Readonly<
    Record<string, { readonly status: string; readonly outputs?: Readonly<Record<string, Json>> }>
  >;
  readonly workflow: Readonly<Record<string, Json>>;
  readonly env: Readonly<Record<string, string>>;
  /** Items of a `foreach` only. */
  readonly item?: Json;
  readonly item_index?: number;
}

export type { ExpressionFault, ExpressionReference } from "./expression-tree.ts";

interface Compiled {
  readonly run: (scope: Record<string, unknown>) => unknown;
  readonly ast: ASTNode;
  readonly references: readonly ExpressionReference[];
  readonly fault: ExpressionFault | null;
}

// Loaded with the first expression: a workflow without `when` does not pay for it.
const require = createRequire(import.meta.url);
let environment: Environment | undefined;
const cache = new Map<string, Compiled | ExpressionFault>();

function compile(source: string): Compiled | ExpressionFault {
  const known = cache.get(source);
  if (known) return known;
  const made = compileNew(source);
  cache.set(source, made);
  return made;
}

function compileNew(source: string): Compiled | ExpressionFault {
  try {
    if (!environment) {
      const cel = require("@marcbachmann/cel-js") as typeof import("@marcbachmann/cel-js");
      environment = new cel.Environment({ homogeneousAggregateLiterals: false });
      for (const root of ROOTS) environment.registerVariable(root, "dyn");
    }
    const run = environment.parse(source);
    const checked = run.check();
    let fault: ExpressionFault | null = null;
    if (!checked.valid) fault = faultOf(checked.error, source);
    else if (checked.type !== "bool" && checked.type !== "dyn") {
      fault = {
        message: `it gives ${checked.type}, it must give true or false`,
        offset: 0,
        length: source.length,
      };
    }
    return { run, ast: run.ast, references: collectReferences(run.ast), fault };
  } catch (error) {
    return faultOf(error, source);
  }
}

function faultOf(error: unknown, source: string): ExpressionFault {
  const { range } = error as { range?: { start: number; end: number } };
  const offset = Math.min(range?.start ?? 0, source.length);
  return { message: summaryOf(error), offset, length: Math.max(1, (range?.end ?? offset + 1) - offset) };
}

function summaryOf(error: unknown): string {
  const { summary, message } = error as { summary?: string; message?: string };
  const line = (summary ?? message ?? String(error)).split("\n")[0] ?? "";
  if (/^Unexpected token: EOF/i.test(line)) return "the expression ends too early";
  return (
    line.slice(0, 1).toLowerCase() +
    line.slice(1).replace(/^ound no matching overload for/, "ound no function for")
  );
}

/**
 * What is wrong with an expression; null if nothing is. `patternFault` judges the regular expressions in it, which have
 * to be literals: one made of values could run for ever, and nothing could stop it.
 */
export function checkExpression(
  source: string,
  patternFault?: (pattern: string) => { readonly message: string } | null,
): ExpressionFault | null {
  const compiled = compile(source);
  if ("message" in compiled) return compiled;
  return compiled.fault ?? matchesFault(compiled.ast, patternFault ?? (() => null));
}

/** The paths an expression names; empty if it can not be parsed. */
export function expressionReferences(source: string): readonly ExpressionReference[] {
  const compiled = compile(source);
  return "message" in compiled ? [] : compiled.references;
}

/** Loads what evaluating needs, if a workflow has any `when`; without it the first evaluation does. */
export async function prepareExpressions(workflow: {
  readonly steps: readonly { readonly when?: Expression }[];
}): Promise<void> {
  for (const { when } of workflow.steps) if (when) return void compile(when.source);
}

/** Evaluates to true or false; throws an error of one line if a name has no value or a type does not fit. */
export function evaluate(expression: Expression, scope: ExpressionScope): boolean {
  const compiled = compile(expression.source);
  if ("message" in compiled) throw new Error(compiled.message);
  let value: unknown;
  try {
    value = compiled.run({
      inputs: toCel(scope.inputs),
      workflow: toCel(scope.workflow),
      env: toCel(scope.env),
      ...(scope.item !== undefined && { item: toCel(scope.item) }),
      ...(scope.item_index !== undefined && { item_index: toCel(scope.item_index) }),
      steps: stepsFor(compiled.references, scope),
    });
  } catch (error) {
    throw new Error(summaryOf(error));
  }
  if (typeof value === "boolean") return value;
  throw new Error(`the expression gave ${describe(value)}, it must give true or false`);
}

/** The named steps only, where all are named: a large workflow is not copied for each expression. */
function stepsFor(references: readonly ExpressionReference[], scope: ExpressionScope): unknown {
  const ids = new Set<string>();
  for (const { segments } of references) {
    if (segments[0] !== "steps") continue;
    if (segments[1] === undefined) return toCel(scope.steps as unknown as Json);
    ids.add(segments[1]);
  }
  const steps: Record<string, Json> = {};
  for (const id of ids) {
    const step = Object.hasOwn(scope.steps, id) ? scope.steps[id] : undefined;
    steps[id] = { status: step?.status ?? "pending", outputs: step?.outputs ?? {} };
  }
  return toCel(steps);
}

/** Whole numbers become integers of CEL, maps lose their prototype. */
function toCel(value: Json): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  if (!isJsonObject(value)) return value;
  return new Map(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([key, each]) => [key, toCel(each)]),
  );
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  return typeof value === "bigint" || typeof value === "number" ? `the number ${value}` : "a list or a map";
}
