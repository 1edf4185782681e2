import { createRequire } from "node:module";

type SafeRegex = (source: string, options?: { limit?: number }) => boolean;

const require = createRequire(import.meta.url);
let loaded: SafeRegex | undefined;

/** What is wrong with a regular expression, as the end of a sentence; null if it is valid and can not run for ever. */
export function patternFault(source: string): { readonly message: string; readonly hint?: string } | null {
  try {
    new RegExp(source, "u");
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*\/u?: /, "") : String(error);
    return { message: `is not a regular expression: ${reason}` };
  }
  loaded ??= require("safe-regex2") as SafeRegex;
  if (loaded(withoutHarmlessRepeats(source)) && !hasRepeatedChoice(source)) return null;
  return {
    message: "could run for ever on some texts",
    hint: "a repetition may not hold another one, such as (a+)+, nor a choice of which two can begin alike, such as (a|a)*",
  };
}

interface Group {
  readonly open: number;
  readonly close: number;
  readonly repeat: string;
  readonly parent: Group | null;
  /** Where the choices in it begin. */
  readonly choices: number[];
}

/**
 * `safe-regex2` takes `?` for a repetition and so refuses `(\.\d+)?`, and knows nothing of separators and so refuses
 * `[a-z]+(-[a-z]+)*`. Neither can be read in two ways; where no repetition stands around them they are as plain groups.
 */
function withoutHarmlessRepeats(source: string): string {
  const isHarmless = (group: Group) => group.repeat.startsWith("?") || isSeparated(source, group);
  const dropped = groupsOf(source).filter((group) => isHarmless(group) && allPlain(group.parent));
  let text = source;
  for (const { close } of dropped.sort((a, b) => b.close - a.close))
    text = text.slice(0, close + 1) + text.slice(close + 2);
  // Neither is known to it; both are as good as plain groups here.
  return text.replace(/\(\?<(?:[=!]|[A-Za-z_]\w*>)/g, "(?:");
}

/** `(-[a-z]+)*`: every turn begins with a character that nothing else in it can be. */
function isSeparated(source: string, group: Group): boolean {
  if (group.repeat !== "*" && group.repeat !== "+") return false;
  const body = source.slice(group.choices[0], group.close);
  const found = /^\\?([-_.,:;/@# ])(\[[^[\]\\]+\]|\\[dw])[+*]?$/.exec(body);
  return found !== null && !new RegExp(`^${found[2]}$`).test(found[1] ?? "");
}

function allPlain(group: Group | null): boolean {
  for (let at = group; at; at = at.parent) if (at.repeat !== "" && !at.repeat.startsWith("?")) return false;
  return true;
}

/** A choice within a repetition whose branches do not all begin with different plain characters. */
function hasRepeatedChoice(source: string): boolean {
  const repeated = groupsOf(source).filter(
    (group) => /^[*+{]/.test(group.repeat) && group.choices.length > 1,
  );
  return repeated.some((group) => {
    const starts = group.choices.map(
      (at) => /^(?:\\[^\w]|[^\\[(.^$|)*+?{])/.exec(source.slice(at))?.[0] ?? null,
    );
    return starts.includes(null) || new Set(starts).size < starts.length;
  });
}

function groupsOf(source: string): Group[] {
  const found: Group[] = [];
  const open: { at: number; choices: number[]; inner: { -readonly [K in keyof Group]: Group[K] }[] }[] = [];
  let inClass = false;
  for (let at = 0; at < source.length; at++) {
    const char = source[at];
    if (char === "\\") at++;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "(") {
      const head = /^\((?:\?(?:[:=!]|<[=!]|<\w+>))?/.exec(source.slice(at))?.[0].length ?? 1;
      open.push({ at, choices: [at + head], inner: [] });
    } else if (char === "|") open.at(-1)?.choices.push(at + 1);
    else if (char === ")") {
      const group = open.pop();
      if (!group) continue;
      const repeat = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(source.slice(at + 1))?.[0] ?? "";
      const made = {
        open: group.at,
        close: at,
        repeat,
        parent: null as Group | null,
        choices: group.choices,
      };
      for (const inner of group.inner) inner.parent = made;
      open.at(-1)?.inner.push(made);
      found.push(made);
    }
  }
  return found;
}
