import { type ExitCode, type Problem, WfError } from "../../core/problem.ts";
import { errnoOf, ioError } from "../../store/io-error.ts";
import { printDiagnostic, printJson } from "../output.ts";
import { diagnosticColors } from "./style.ts";
import { indent, neutralize } from "./text.ts";

/** Says what went wrong, on standard error or with `--json` on standard output; returns the exit code. */
export function reportError(error: unknown, { json }: { readonly json: boolean }): ExitCode {
  const known = toWfError(error);
  if (process.env.WF_DEBUG === "1") printDiagnostic(stackOf(error));
  if (json) printJson({ error: errorJson(known) });
  else for (const text of errorText(known)) printDiagnostic(text);
  return known.exitCode;
}

/** The shape of an error wherever a command prints JSON. */
export function errorJson(error: WfError): object {
  return {
    code: error.code,
    message: error.message,
    hint: error.hint ?? null,
    exitCode: error.exitCode,
    problems: error.problems.map(problemJson),
  };
}

export function problemJson(problem: Problem): object {
  const { code, message, hint, position } = problem;
  return {
    code,
    message,
    hint: hint ?? null,
    file: position?.file ?? null,
    line: position?.line ?? null,
    column: position?.column ?? null,
  };
}

function errorText(error: WfError): string[] {
  return error.problems.map((problem) => problemText(problem));
}

/**
 * ```
 * wf: run 'nightly-0042' is driven by process 4121 on build-7 since 14:02   [RUN_LOCKED]
 *     look:  wf status nightly-0042
 * ```
 */
export function problemText(problem: Problem): string {
  const c = diagnosticColors();
  const { position, excerpt } = problem;
  const place = position ? `${position.file}:${position.line}:${position.column}: ` : "";
  const lines = [`${c.red("wf:")} ${c.bold(neutralize(place + problem.message))}   ${c.dim(`[${problem.code}]`)}`];
  if (position && excerpt) {
    const caret = " ".repeat(Math.max(0, position.column - 1)) + "^".repeat(Math.max(1, excerpt.length));
    lines.push(indent(`${neutralize(excerpt.text)}\n${c.red(caret)}`, "    "));
  }
  if (problem.hint !== undefined) lines.push(indent(neutralize(problem.hint), "    "));
  return lines.join("\n");
}

function toWfError(error: unknown): WfError {
  if (error instanceof WfError) return error;
  if (errnoOf(error).startsWith("E") && (error as NodeJS.ErrnoException).syscall !== undefined) {
    const { path, syscall } = error as NodeJS.ErrnoException;
    return ioError(error, path === undefined ? `do what the command needs (${syscall})` : `use ${path}`);
  }
  const message = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  return new WfError(
    { code: "INTERNAL", message: `an error in wf itself: ${message}`, hint: "WF_DEBUG=1 shows where; please report it" },
    { cause: error },
  );
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

