import { isJsonObject, type JsonObject } from "../core/json.ts";

const OPENING = "[workflow_result]";
const CLOSING = "[/workflow_result]";

/** What an agent's final message says by its result envelope. */
export type Envelope =
  | { readonly kind: "result"; readonly values: JsonObject }
  | { readonly kind: "none" }
  /** `message`: what is wrong with it, as the end of a sentence. */
  | { readonly kind: "invalid"; readonly message: string };

/**
 * Reads `[workflow_result]{…}[/workflow_result]`: exactly one in the text, with one strict JSON object in it. The marks
 * within the JSON's strings are its content.
 */
export function readEnvelope(text: string): Envelope {
  const openings = places(text, OPENING);
  const [first] = openings;
  if (first === undefined) {
    return text.includes(CLOSING)
      ? invalid(`${CLOSING} closes a result envelope that was not opened`)
      : { kind: "none" };
  }
  const from = first + OPENING.length;
  const closings = places(text, CLOSING).filter((at) => at >= from);
  if (closings.length === 0) return invalid(`the result envelope is not closed with ${CLOSING}`);
  // The first that ends an object: a mark before it may stand in a string.
  for (const to of closings) {
    const read = readObject(text.slice(from, to));
    if (typeof read === "string") continue;
    const another = openings.find((at) => at > to);
    return another === undefined ? read : invalid("there are two result envelopes, or more");
  }
  if (openings.length > 1) return invalid("there are two result envelopes, or more");
  return invalid(readObject(text.slice(from, closings[0])) as string);
}

function places(text: string, mark: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) found.push(at);
  return found;
}

function invalid(message: string): Envelope {
  return { kind: "invalid", message };
}

function readObject(inner: string): Envelope | string {
  const body = inner.trim();
  if (body === "") return "the result envelope is empty";
  if (/^(?:```|~~~)/.test(body))
    return "the JSON in the result envelope stands in a Markdown fence; write it bare";
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    return notJson(body, error as Error);
  }
  if (!isJsonObject(value)) {
    const kind = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
    return `the result envelope holds ${kind}; it must be a JSON object`;
  }
  const repeated = duplicateKey(body);
  if (repeated !== null) return `the result envelope has the key ${JSON.stringify(repeated)} twice`;
  return { kind: "result", values: value };
}

/** An object with something behind it is a mistake of its own; what `JSON.parse` says of the rest differs between versions. */
function notJson(body: string, error: Error): string {
  const end = body.startsWith("{") ? endOfObject(body) : -1;
  if (end > 0 && end < body.length) {
    try {
      JSON.parse(body.slice(0, end));
      return "the result envelope has text behind its JSON object";
    } catch {
      // It is no object either.
    }
  }
  const at = /position (\d+)/.exec(error.message)?.[1];
  const where = at === undefined ? "" : ` (character ${Number(at) + 1})`;
  return `the result envelope is not valid JSON${where}`;
}

/** Just behind the brace that closes the first; -1 if none does. */
function endOfObject(body: string): number {
  let depth = 0;
  for (const { text, index } of tokens(body)) {
    if (text === "{") depth++;
    else if (text === "}" && --depth === 0) return index + 1;
  }
  return -1;
}

function* tokens(body: string): Generator<{ text: string; index: number }> {
  for (const { 0: text, index } of body.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g)) yield { text, index };
}

/** A key that one object of a valid JSON text has twice, at any depth; `JSON.parse` would keep the last of them. */
function duplicateKey(body: string): string | null {
  const open: (Set<string> | null)[] = [];
  let held: string | null = null;
  for (const { text } of tokens(body)) {
    if (text === "{") open.push(new Set());
    else if (text === "[") open.push(null);
    else if (text === "}" || text === "]") open.pop();
    else if (text === ":" && held !== null) {
      const key = JSON.parse(held) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    held = text.startsWith('"') ? text : null;
  }
  return null;
}
