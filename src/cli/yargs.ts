import yargs, { type Argv } from "yargs";
import { WfError } from "../core/problem.ts";
import { nearest } from "../language/did-you-mean.ts";
import { Args, type Command, toYargs } from "./command.ts";

/** What any command line says; null if it asked for help, which has been printed. Raises USAGE. */
export async function parseByYargs(command: Command, argv: readonly string[]): Promise<Args | null> {
  refuseUnknownOptions(command, argv.slice(1));
  let given: Readonly<Record<string, unknown>> | null = null;
  const parser = configure(yargs(withoutSeparator(argv)), command, (found) => {
    given = found;
  });
  await parser.parseAsync();
  return given === null ? null : new Args(given, command.options);
}

export function configure(
  parser: Argv,
  command: Command,
  take: (given: Record<string, unknown>) => void,
): Argv {
  return parser
    .scriptName("wf")
    .detectLocale(false)
    .exitProcess(false)
    .version(false)
    .help("help", "show this")
    .alias("help", "h")
    .wrap(Math.min(100, Math.max(60, process.stdout.columns ?? 100)))
    .parserConfiguration({
      // A value is the text that was given: 1e3, 0x10 and 007 are not numbers here, --input a.b=c no object.
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "camel-case-expansion": false,
      "boolean-negation": false,
      "greedy-arrays": false,
    })
    .strict()
    .fail((message, error) => {
      throw usageError(message ?? error.message, command);
    })
    .command(
      yargsUsage(command.usage),
      command.describe,
      (builder) => describe(builder, command),
      (found) => take(found),
    );
}

function describe(builder: Argv, command: Command): Argv {
  for (const [name, text] of Object.entries(command.positionals)) {
    builder.positional(name, { type: "string", describe: text });
  }
  for (const [name, option] of Object.entries(command.options)) builder.option(name, toYargs(option));
  for (const [line, text] of command.examples) builder.example(line, text);
  return builder;
}

/** `run FILE [ID]` → `run <FILE> [ID]`, `graph FILE|RUN` → `graph <FILE|RUN>`, `validate FILE…` → `validate <FILE..>`, `[ARGUMENT…]` → `[ARGUMENT..]`. */
function yargsUsage(usage: string): string {
  const required = /(?<!\[)\b([A-Z]+(?:\|[A-Z]+)*)(\u2026?)/g;
  return usage
    .replace(required, (_, name, many) => `<${name}${many === "" ? "" : ".."}>`)
    .replaceAll("\u2026]", "..]");
}

/** The parser's sentences, with what was likely meant. */
function usageError(message: string, command: Command): WfError {
  const name = command.usage.split(" ")[0] as string;
  const look = `wf ${name} --help`;
  const extra = /^Unknown arguments?: (.+)$/s.exec(message)?.[1];
  if (extra !== undefined) {
    return new WfError({
      code: "USAGE",
      message: `wf ${name} does not take so many arguments: ${extra} is too much`,
      hint: `usage: wf ${command.usage}`,
    });
  }
  const lacking = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (lacking !== undefined) {
    return new WfError({ code: "USAGE", message: `${dashed(lacking)} needs a value`, hint: look });
  }
  if (/^Not enough non-option arguments/.test(message)) {
    return new WfError({
      code: "USAGE",
      message: `wf ${name} needs ${needed(command.usage)}`,
      hint: `usage: wf ${command.usage}`,
    });
  }
  const choice = /Argument: (.+), Given: "?(.*?)"?, Choices: (.+)$/s.exec(message);
  if (choice) {
    const [, option, value, choices] = choice as unknown as [string, string, string, string];
    return new WfError({
      code: "USAGE",
      message: `--${option} can not be ${JSON.stringify(value)}`,
      hint: `one of: ${choices.replaceAll('"', "")}`,
    });
  }
  return new WfError({ code: "USAGE", message, hint: look });
}

/** `wf diff main HEAD -- PATH`, as git has it: what stands after it is an argument too, which the parser would drop. */
function withoutSeparator(argv: readonly string[]): string[] {
  const at = argv.indexOf("--");
  const after = at < 0 ? [] : argv.slice(at + 1);
  return after.some((argument) => argument.startsWith("-"))
    ? [...argv]
    : [...argv.slice(0, at < 0 ? argv.length : at), ...after];
}

/** Before anything else is looked at: an unknown option would take the next argument for its value. */
function refuseUnknownOptions(command: Command, argv: readonly string[]): void {
  const options = Object.entries(command.options);
  const flags = new Set(["help", "h"]);
  const taking = new Set<string>();
  for (const [name, { kind, alias }] of options) {
    for (const each of alias === undefined ? [name] : [name, alias])
      (kind === "flag" ? flags : taking).add(each);
  }
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] as string;
    if (argument === "--") return;
    const [, name, value] = /^--([^=]+)(=?)/s.exec(argument) ?? /^-([A-Za-z])(.?)/s.exec(argument) ?? [];
    if (name === undefined) continue;
    if (taking.has(name)) index += value === "" ? 1 : 0;
    else if (!flags.has(name)) throw unknownOption(command, name);
    else if (argument.startsWith("--") && value === "=") {
      throw new WfError({ code: "USAGE", message: `${dashed(name)} takes no value` });
    }
  }
}

function unknownOption(command: Command, name: string): WfError {
  const own = command.usage.split(" ")[0] as string;
  const near = nearest(name, ["help", ...Object.keys(command.options)]);
  return new WfError({
    code: "USAGE",
    message: `wf ${own} has no option ${dashed(name)}`,
    hint:
      near === null
        ? `all options: wf ${own} --help`
        : `did you mean ${dashed(near)}? all options: wf ${own} --help`,
  });
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

function needed(usage: string): string {
  const all = usage.matchAll(/(?<!\[)\b[A-Z]+(?:\|[A-Z]+)*/g);
  const names = [...all].map(([name]) => name.replaceAll("|", " or a "));
  return names.length === 1 ? `a ${names[0]}` : names.map((name) => `a ${name}`).join(" and ");
}
