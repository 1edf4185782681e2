/** A here-document whose body begins after the end of the line. */
export interface HereDocument {
  readonly isQuoted: boolean;
  /** Where a body that begins at `from` ends, and where the script goes on after its delimiter. */
  find(text: string, from: number): { end: number; after: number };
}

const HERE_OPERATOR = /<<(-?)[ \t]*((?:\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|[^\s;&|<>()'"\\])+)/y;

/** Reads `<<EOF` and its kin at `at`. */
export function hereDelimiter(text: string, at: number): { document: HereDocument; length: number } | null {
  HERE_OPERATOR.lastIndex = at;
  const found = HERE_OPERATOR.exec(text);
  if (!found) return null;
  const [all, dash, word = ""] = found;
  const delimiter = word.replace(/\\([\s\S])|['"]/g, "$1");
  const tabs = dash ? "\\t*" : "";
  const line = new RegExp(`^${tabs}${delimiter.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`, "gm");
  const find = (whole: string, from: number) => {
    line.lastIndex = from;
    const end = line.exec(whole);
    if (!end) return { end: whole.length, after: whole.length };
    return { end: end.index, after: Math.min(whole.length, end.index + end[0].length + 1) };
  };
  return { document: { isQuoted: word !== delimiter, find }, length: all.length };
}

/** Whether the `((` at `at` is closed by `))`, so that it is arithmetic and not two subshells. */
export function arithmeticEnd(text: string, at: number): boolean {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 1) return text[i + 1] === ")";
  }
  return true;
}

export interface ParameterHead {
  readonly nameLength: number;
  /** `[…]`; 0 if there is none. */
  readonly subscriptLength: number;
  readonly operation: "value" | "pattern" | "offset";
  readonly operationLength: number;
}

/** Reads what stands between `${` and the word of an expansion. */
export function parameterHead(text: string, at: number): ParameterHead {
  const name =
    /^(?:[#!](?=[\w@*?$!#-]))?(?:[A-Za-z_]\w*|\d+|[@*#?$!-])?/.exec(text.slice(at, at + 256))?.[0] ?? "";
  const rest = text.slice(at + name.length);
  const subscript = rest.startsWith("[") ? (/^\[[^\]]*\]?/.exec(rest)?.[0].length ?? 0) : 0;
  const tail = rest.slice(subscript, subscript + 2);
  const value = /^:?[-=?+]/.exec(tail)?.[0];
  const base = { nameLength: name.length, subscriptLength: subscript };
  if (value) return { ...base, operation: "value", operationLength: value.length };
  if (tail.startsWith(":")) return { ...base, operation: "offset", operationLength: 1 };
  if (tail.startsWith("}")) return { ...base, operation: "value", operationLength: 0 };
  return { ...base, operation: "pattern", operationLength: tail === "" ? 0 : 1 };
}
