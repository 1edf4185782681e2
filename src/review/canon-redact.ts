import { PLACEHOLDERS } from "./canon-places.ts";

const PUT = new Set<string>(Object.values(PLACEHOLDERS));
const ANY_PLACEHOLDER = [...PUT].join("|");

/** Replaces what the workflow's `redact` patterns find; placeholders that stand there already are left whole. */
export function redactor(patterns: readonly string[]): (text: string) => string {
  const compiled = patterns.map((source) => new RegExp(`${ANY_PLACEHOLDER}|(?:${source})`, "gmu"));
  if (compiled.length === 0) return (text) => text;
  return (text) => compiled.reduce(redactOnce, text);
}

function redactOnce(text: string, pattern: RegExp): string {
  return text.replace(pattern, (found) => (found === "" || PUT.has(found) ? found : PLACEHOLDERS.redacted));
}
