import type { Inside } from "./node.ts";
import type { Span } from "./source.ts";

/**
 * Where in the file a part of a scalar's value stands. Value and file are walked side by side: what is not white
 * space stands in both in the same order, whatever quoting, folding and indentation do to the rest.
 */
export function locate(text: string, inside: Inside): Span {
  const { node, from, to } = inside;
  const value = String(node.value);
  let at = contentStart(text, node.start, node.style);
  let start = at;
  let end = at;
  for (let i = 0; i < Math.min(to, value.length); i++) {
    const char = value[i] ?? "";
    if (!/\s/.test(char)) at = skipSpace(text, at, node.end, node.style);
    if (i === from) start = at;
    if (/\s/.test(char)) continue;
    at += unitLength(text, at, node.style);
    end = at;
  }
  if (from >= value.length) start = end;
  return { start, end: Math.max(end, start + 1) };
}

function contentStart(text: string, start: number, style: Inside["node"]["style"]): number {
  if (style === "plain") return start;
  return style === "block" ? text.indexOf("\n", start) + 1 : start + 1;
}

function skipSpace(text: string, from: number, end: number, style: Inside["node"]["style"]): number {
  let at = from;
  while (at < end) {
    if (/\s/.test(text[at] ?? "")) at++;
    else if (style === "double" && /^\\[ntr \r\n_LPvf]/.test(text.slice(at, at + 2))) at += 2;
    else break;
  }
  return at;
}

/** How many characters of the file make one UTF-16 unit of the value. */
function unitLength(text: string, at: number, style: Inside["node"]["style"]): number {
  if (style === "single") return text.startsWith("''", at) ? 2 : 1;
  if (style !== "double" || text[at] !== "\\") return 1;
  return { x: 4, u: 6, U: 10 }[text[at + 1] ?? ""] ?? 2;
}
