import { OWN_PREFIX } from "./wrapper.ts";

export type Environment = Readonly<Record<string, string>>;

/** What the gate lets through. */
export interface Command {
  /** Absolute; exists, and holds whatever the program is to read. */
  readonly attemptDir: string;
  /** Absolute. */
  readonly cwd: string;
  /** The program, as an absolute path, and its arguments. */
  readonly argv: readonly string[];
  /** On top of the launcher's environment; null takes a variable away. */
  readonly env: Readonly<Record<string, string | null>>;
  /** Absolute path of the standard input; nothing if absent. */
  readonly stdin?: string;
}

/** How the environment of every step reaches it: each variable on the way that brings it there byte for byte. */
export interface SplitEnvironment {
  /** Inherited by the shell that holds the gate, which passes them on untouched. */
  readonly inherited: Environment;
  /** Set right before the program starts, since the shell gives them a value or a meaning of its own. */
  readonly late: Environment;
  /** Handed over by `env`, since a shell can not export them. */
  readonly byEnv: Environment;
}

/** Anything the system can pass: an `env:` key need not be a name that a shell can spell. */
export function isEnvironmentName(name: string): boolean {
  return name !== "" && !name.includes("=") && !name.includes("\0");
}

const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Read-only, computed, checked, or acted upon by some shell when they are set. */
const NOT_EXPORTABLE = new Set(
  `_ UID EUID PPID GROUPS DIRSTACK FUNCNAME FUNCNEST SHELLOPTS EXECIGNORE GLOBIGNORE PIPESTATUS LINENO RANDOM SRANDOM
  SECONDS EPOCHSECONDS EPOCHREALTIME HISTCMD OPTIND OPTERR TMOUT POSIXLY_CORRECT IGNOREEOF CHILD_MAX`.split(
    /\s+/,
  ),
);
const LATE = /^(?:PWD|OLDPWD|SHLVL|IFS|PS[0-4]|ENV|BASH_ENV|CDPATH|LC_ALL)$/;

/** What the gate's shell has whether or not the user does. */
const SHELLS_OWN = ["PATH", "PWD", "OLDPWD", "SHLVL"];

type Way = "inherited" | "late" | "byEnv";

function way(name: string): Way {
  if (!SHELL_NAME.test(name) || NOT_EXPORTABLE.has(name) || name.startsWith(OWN_PREFIX)) return "byEnv";
  if (LATE.test(name)) return "late";
  return /^(?:BASH|COMP_|READLINE_)/.test(name) ? "byEnv" : "inherited";
}

/** Whether it is handed over by `env`, in whose arguments everybody can read it for a moment. */
export function reachesByArguments(name: string): boolean {
  return way(name) === "byEnv";
}

/** `_` is left out: every shell on the way sets its own, as the one that started the engine did. */
export function splitEnvironment(env: NodeJS.ProcessEnv): SplitEnvironment {
  const split: Record<Way, Record<string, string>> = { inherited: {}, late: {}, byEnv: {} };
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && name !== "_") split[way(name)][name] = value;
  }
  return split;
}

/** The two lines that a wrapper reads before it waits at the gate. */
export function renderCommand(command: Command, base: SplitEnvironment, envProgram: string): string {
  const { attemptDir, env } = command;
  const word = (text: string) => {
    // The wrapper has the folder already, and reads byte by byte.
    if (text.startsWith(`${attemptDir}/`)) return `"$1"${quote(text.slice(attemptDir.length))}`;
    return text === attemptDir ? '"$1"' : quote(text);
  };
  const byEnv: Record<string, string | null> = { ...base.byEnv };
  const late: Record<string, string | null> = { ...base.late };
  const exports: string[] = [];
  for (const name of Object.keys(env)) {
    const value = env[name] as string | null;
    const by = way(name);
    if (by === "byEnv") byEnv[name] = value;
    else if (by === "late") late[name] = value;
    else if (value !== null) exports.push(`${name}=${word(value)}`);
    else if (name in base.inherited) late[name] = null;
  }
  const unset = SHELLS_OWN.filter((name) => typeof late[name] !== "string" && !(name in base.inherited));
  for (const [name, value] of Object.entries(late)) {
    if (value !== null) exports.push(`${name}=${word(value)}`);
    else if (name !== "LC_ALL" && !unset.includes(name)) unset.push(name);
  }
  const prefix = Object.entries(byEnv).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${value}`],
  );
  const argv = prefix.length > 0 ? [envProgram, "--", ...prefix, ...command.argv] : command.argv;
  const words = [command.cwd, command.stdin ?? "/dev/null", ...argv].map(word).join(" ");
  const line = [`set -- "$1" ${words}`, 'cd -P -- "$2" || exit'];
  // Not by `unset`: for a shell that knows locales that is a look at files.
  if (typeof late.LC_ALL !== "string") line.push("wf__own_locale");
  if (unset.length > 0) line.push(`unset ${unset.join(" ")}`);
  if (exports.length > 0) line.push(`export ${exports.join(" ")}`);
  return renderFolder(attemptDir) + framed(line.join("; "));
}

/** What the wrapper is told of where the attempt is. */
export function renderFolder(attemptDir: string): string {
  return framed(quote(attemptDir));
}

function framed(line: string): string {
  return `${Buffer.byteLength(line) + 1}\n${line}\n`;
}

/** One shell word on one line that means these bytes. */
export function quote(text: string): string {
  if (/^[A-Za-z0-9_/.:,@%+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''").replaceAll("\n", `'"$${OWN_PREFIX}n"'`)}'`;
}
