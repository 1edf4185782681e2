import { type ExitCode, type Problem, WfError } from "../../core/problem.ts";
import { formatProblems, type Part } from "../../language/format-problem.ts";
import { errnoOf, ioError } from "../../store/io-error.ts";
import { printDiagnostic, printJson } from "../output.ts";
import { diagnosticColors } from "./style.ts";
import { count, indent, neutralize } from "./text.ts";

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
  if (!error.problems.some(({ position }) => position))
    return error.problems.map((problem) => problemText(problem));
  return [
    `${formatProblems(error.problems, paintProblem)}`,
    `${diagnosticColors().red("wf:")} ${countText(error.problems)}`,
  ];
}

/** Problems of files, as the pieces of them are coloured. */
export function paintProblem(part: Part, text: string): string {
  const c = diagnosticColors();
  switch (part) {
    case "position":
    case "message":
      return c.bold(text);
    case "caret":
      return c.red(text);
    case "code":
    case "gutter":
    case "hint":
      return c.dim(text);
    default:
      return part satisfies never;
  }
}

function countText(problems: readonly Problem[]): string {
  const files = new Set(problems.flatMap(({ position }) => (position ? [position.file] : [])));
  return `${count(problems.length, "problem")} in ${[...files].join(", ")}; nothing was started, nothing was written`;
}

/**
 * ```
 * wf: run 'nightly-0042' is driven by process 4121 on build-7 since 14:02   [RUN_LOCKED]
 *     look:  wf status nightly-0042
 * ```
 */
export function problemText({ code, message, hint }: Problem): string {
  const c = diagnosticColors();
  const first = `${c.red("wf:")} ${c.bold(neutralize(message))}   ${c.dim(`[${code}]`)}`;
  return hint === undefined ? first : `${first}\n${indent(neutralize(hint), "    ")}`;
}

function toWfError(error: unknown): WfError {
  if (error instanceof WfError) return error;
  if (errnoOf(error).startsWith("E") && (error as NodeJS.ErrnoException).syscall !== undefined) {
    const { path, syscall } = error as NodeJS.ErrnoException;
    return ioError(error, path === undefined ? `do what the command needs (${syscall})` : `use ${path}`);
  }
  const message = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  return new WfError(
    {
      code: "INTERNAL",
      message: `an error in wf itself: ${message}`,
      hint: "WF_DEBUG=1 shows where; please report it",
    },
    { cause: error },
  );
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
