import type { Json } from "./json.ts";
import { isJsonObject } from "./json.ts";
import type { Template, TemplatePath, ValueTemplate } from "./workflow.ts";

/** What templates see. Every value is data: it is never read for templates again. */
export interface TemplateScope {
  readonly inputs: Readonly<Record<string, Json>>;
  /** Steps that ran; in a graph ancestors only. */
  readonly steps: Readonly<Record<string, TemplateStep>>;
  readonly workflow: WorkflowNames;
  /** Items of a `foreach` only. */
  readonly item?: Json;
  readonly item_index?: number;
  /** Prompts only: every output so far as `<step>_<key>`. A name that is not there is null. */
  readonly state?: Readonly<Record<string, Json>>;
}

export interface TemplateStep {
  readonly status: string;
  /** A file output's value is its absolute path. */
  readonly outputs: Readonly<Record<string, Json>>;
}

/** `workflow.*`; the absent ones have no value where the template stands. */
export interface WorkflowNames {
  readonly run_id?: string;
  readonly run_dir?: string;
  readonly run_workspace?: string;
  readonly step_id?: string;
  readonly attempt?: number;
  readonly output_paths?: Readonly<Record<string, string>>;
  readonly output_paths_json?: string;
  readonly output_schema_json?: string;
  /** `finally` steps only: how the run ends, and why, as text. */
  readonly status?: string;
  readonly reason?: string;
}

export type ParsedTemplate =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly message: string; readonly offset: number; readonly length: number };

/** A piece of a source text: literal text, or a path; `start` and `end` are where it stands in the source. */
export type Piece =
  | { readonly kind: "text"; readonly text: string; readonly start: number; readonly end: number }
  | { readonly kind: "path"; readonly path: TemplatePath; readonly start: number; readonly end: number }
  | { readonly kind: "fault"; readonly message: string; readonly start: number; readonly end: number };

const OPENING = /\\\{\{|\{\{(?=\s*[A-Za-z_])/g;
const PATH = /^[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*$/;

/** Cuts a text at its templates. `{{` opens one only before an identifier; `\{{` is the text `{{`. */
export function scanTemplate(source: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  const text = (end: number, next: number, extra = "") => {
    if (end > from || extra !== "")
      pieces.push({ kind: "text", text: source.slice(from, end) + extra, start: from, end: next });
    from = next;
  };
  OPENING.lastIndex = 0;
  for (let found = OPENING.exec(source); found; found = OPENING.exec(source)) {
    const start = found.index;
    if (found[0].startsWith("\\")) {
      text(start, start + 3, "{{");
      continue;
    }
    const close = source.indexOf("}}", start);
    text(start, start);
    const end = close < 0 ? Math.min(source.length, start + 2) : close + 2;
    pieces.push(
      close < 0 ? { kind: "fault", message: "is not closed", start, end } : pathPiece(source, start, end),
    );
    from = end;
    OPENING.lastIndex = end;
  }
  text(source.length, source.length);
  return pieces;
}

function pathPiece(source: string, start: number, end: number): Piece {
  const text = source.slice(start + 2, end - 2).trim();
  if (!PATH.test(text)) return { kind: "fault", message: "is not a path of names", start, end };
  return { kind: "path", path: { text, segments: text.split(".") }, start, end };
}

/** Parses a text with templates in it; the first fault, if there is one. */
export function parseTemplate(source: string): ParsedTemplate {
  if (!source.includes("{{")) return { ok: true, template: { source, parts: source === "" ? [] : [source] } };
  const parts: (string | TemplatePath)[] = [];
  for (const piece of scanTemplate(source)) {
    if (piece.kind === "fault") {
      const message = `${source.slice(piece.start, piece.end)} ${piece.message}`;
      return { ok: false, message, offset: piece.start, length: piece.end - piece.start };
    }
    const part = piece.kind === "text" ? piece.text : piece.path;
    const last = parts.at(-1);
    if (typeof part === "string" && typeof last === "string") parts[parts.length - 1] = last + part;
    else parts.push(part);
  }
  return { ok: true, template: { source, parts } };
}

/** A template whose path has no value. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** The value of a path; throws `TemplateError`, which names the step, the template and the known names. */
export function lookup(path: TemplatePath, scope: TemplateScope): Json {
  let value: Json = scope as unknown as Json;
  for (const [depth, segment] of path.segments.entries()) {
    const next = child(value, segment);
    if (next === undefined && depth > 0 && path.segments[0] === "state") return null;
    if (next === undefined) throw new TemplateError(missing(path, depth, value, scope));
    value = next;
  }
  return value;
}

function child(value: Json, segment: string): Json | undefined {
  if (Array.isArray(value)) return /^(?:0|[1-9]\d*)$/.test(segment) ? value[Number(segment)] : undefined;
  if (isJsonObject(value) && Object.hasOwn(value, segment)) return value[segment];
  return undefined;
}

const LISTED_NAMES = 20;

function missing(path: TemplatePath, depth: number, value: Json, scope: TemplateScope): string {
  const where = scope.workflow.step_id === undefined ? "" : `step ${scope.workflow.step_id}: `;
  const parent = depth === 0 ? "" : ` in ${path.segments.slice(0, depth).join(".")}`;
  return `${where}{{${path.text}}} has no value: there is no ${path.segments[depth]}${parent} (${known(value)})`;
}

function known(value: Json): string {
  if (Array.isArray(value)) return `it is a list of ${value.length}`;
  if (!isJsonObject(value)) return "it holds no names";
  const names = Object.keys(value).filter((name) => value[name] !== undefined);
  if (names.length === 0) return "there are none";
  const more = names.length - LISTED_NAMES;
  return `known: ${names.slice(0, LISTED_NAMES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** A value as text: a string is itself, null is empty, everything else is its JSON text. */
export function textOf(value: Json): string {
  if (typeof value === "string") return value;
  return value === null ? "" : JSON.stringify(value);
}

/** The template with its values; a template that is exactly one path keeps the value's type. */
export function renderTemplate(template: Template, scope: TemplateScope): Json {
  const [first] = template.parts;
  if (template.parts.length === 1 && typeof first === "object") return lookup(first, scope);
  return template.parts
    .map((part) => (typeof part === "string" ? part : textOf(lookup(part, scope))))
    .join("");
}

/** A value with its templates replaced; what a template gives is data, and is not looked into. */
export function renderValue(value: ValueTemplate, scope: TemplateScope): Json {
  if ("literal" in value) return value.literal;
  if ("template" in value) return renderTemplate(value.template, scope);
  if ("list" in value) return value.list.map((each) => renderValue(each, scope));
  const entries = Object.entries(value.map).map(([key, each]) => [key, renderValue(each, scope)]);
  return Object.fromEntries(entries) as Json;
}

/** The templates in a value. */
export function* templatesIn(value: ValueTemplate): Generator<Template> {
  if ("template" in value) yield value.template;
  else if ("list" in value) for (const each of value.list) yield* templatesIn(each);
  else if ("map" in value) for (const each of Object.values(value.map)) yield* templatesIn(each);
}
