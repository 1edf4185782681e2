import { Args, type Command, type Option } from "./command.ts";

/**
 * What a command line says; null if it asked for help, which has been printed. Raises USAGE. Loading yargs takes
 * longer than most commands: a line in which there is nothing to judge is read without it, to the same result.
 */
export async function parse(command: Command, argv: readonly string[]): Promise<Args | null> {
  const plain = parsePlain(command, argv.slice(1));
  if (plain !== null) return plain;
  const { parseByYargs } = await import("./yargs.ts");
  return parseByYargs(command, argv);
}

/** Of a line of options that are known, each with a value if it takes one, and of as many words as there have to be. */
export function parsePlain(command: Command, argv: readonly string[]): Args | null {
  const options = new Map<string, readonly [string, Option]>();
  for (const [name, option] of Object.entries(command.options)) {
    options.set(`--${name}`, [name, option]);
    if (option.alias !== undefined) options.set(`-${option.alias}`, [name, option]);
  }
  const given: Record<string, unknown> = {};
  const words: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] as string;
    // yargs takes `true` and `false` for the value of a flag before them.
    if (["", "true", "false"].includes(argument)) return null;
    if (!argument.startsWith("-")) {
      words.push(argument);
      continue;
    }
    const [, written = argument, inline] = /^(--[^=]+)=(.*)$/s.exec(argument) ?? [];
    const [name, option] = options.get(written) ?? [];
    if (name === undefined || option === undefined) return null;
    if (option.kind === "flag") {
      if (inline !== undefined || name in given) return null;
      given[name] = true;
      continue;
    }
    if (inline === undefined) index += 1;
    const value = inline ?? argv[index] ?? "";
    // Of some values yargs takes the quotes away.
    if (/^(?:$|[-"'])/.test(value) || option.choices?.includes(value) === false) return null;
    if (option.kind === "list") given[name] = [...((given[name] as string[] | undefined) ?? []), value];
    else if (name in given) return null;
    else given[name] = value;
  }
  return takeWords(command, words, given) ? new Args(given, command.options) : null;
}

/** `run FILE [ID]`, `validate FILE…`, `prune [RUN…]` */
function takeWords({ usage }: Command, words: readonly string[], given: Record<string, unknown>): boolean {
  let next = 0;
  // `FILE|RUN`: what yargs makes of it is its own affair.
  if (usage.includes("|")) return false;
  for (const word of usage.split(" ").slice(1)) {
    const [, bracket, name = "", many] = /^(\[?)(.+?)(\u2026?)\]?$/.exec(word) ?? [];
    const own = many === "" ? words.slice(next, next + 1) : words.slice(next);
    if (own.length === 0 && bracket === "") return false;
    if (own.length > 0) given[name] = many === "" ? own[0] : own;
    next += own.length;
  }
  return next === words.length;
}
