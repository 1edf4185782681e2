import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import type { Failure } from "../core/event.ts";
import { MAX_ENVIRONMENT_BYTES, MAX_VARIABLE_BYTES } from "../core/limits.ts";
import type { RunState, StepNode } from "../core/state.ts";
import { lookup, renderTemplate, TemplateError, type TemplateScope } from "../core/template.ts";
import type { Step, TemplatePath } from "../core/workflow.ts";
import { findShell } from "../process/shell.ts";
import { ATTEMPT_FILES, attemptDir, RUN_FILES } from "../store/layout.ts";
import { attemptEnvironment, type Environment, inputVariables } from "./environment.ts";
import { asText, attemptScope, type Places, pathsOf } from "./scope.ts";

/** All that an attempt needs before its process may begin. */
export interface PreparedCommand {
  readonly script: string;
  /** Values too large for a variable, by name; files under the attempt's `values/`. */
  readonly values: ReadonlyMap<string, string>;
  /** Folders of the attempt that declared output files will stand in; absolute. */
  readonly folders: readonly string[];
  readonly cwd: string;
  readonly shell: readonly string[];
  readonly env: Readonly<Record<string, string | null>>;
}

export class PreparationError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

const POSIX_SHELLS = new Set(["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "busybox"]);

/** Renders a command step; raises `PreparationError` for what the step itself can not give (no shell, no value). */
export function prepareCommand(
  state: RunState,
  places: Places,
  node: StepNode,
  attempt: number,
  base: Environment,
  cookie: string,
): PreparedCommand {
  const { step } = node;
  const dir = attemptDir(places.runDir, step.id, attempt);
  try {
    const scope = attemptScope(state, places, node, attempt, pathsOfStep(state, step));
    const env = attemptEnvironment(node, state.workflow, scope, { attemptDir: dir, cookie });
    for (const { name, path } of step.script.variables) env[name] = asText(lookup(path, scope));
    for (const { name, text, large } of inputVariables(state)) {
      if (large && step.script.text.includes(name)) env[name] = text;
    }
    refuseNul(env);
    const values = takeLargeValues(env, base, step);
    const cwd = workingFolder(places, step, dir, scope);
    const path = "PATH" in env ? env.PATH : base.PATH;
    const [program = "sh", ...options] = step.shell;
    const shell = cachedShell(program, path ?? undefined, cwd);
    if (shell === null) {
      throw new PreparationError({
        code: "SHELL_NOT_FOUND",
        message: `there is no shell ${program}`,
        hint: `install ${program}, or name another with shell: in the workflow`,
      });
    }
    return {
      script: prelude(values) + step.script.text + (step.script.text.endsWith("\n") ? "" : "\n"),
      values,
      folders: outputFolders(scope, dir),
      cwd,
      shell: [shell, ...options],
      env,
    };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new PreparationError({ code: "TEMPLATE_ERROR", message: error.message });
  }
}

const shells = new Map<string, string>();

/** A look through PATH for each of thousands of steps would cost as much as all else that prepares them. */
function cachedShell(program: string, path: string | undefined, cwd: string): string | null {
  const key = `${program}\0${path}\0${cwd}`;
  const known = shells.get(key) ?? findShell(program, path, cwd);
  if (known !== null) shells.set(key, known);
  return known;
}

function* pathsOfStep(state: RunState, step: Step): Generator<TemplatePath> {
  for (const { path } of step.script.variables) yield path;
  yield* pathsOf(Object.values(step.env));
  yield* pathsOf(Object.values(state.workflow.env));
  if (step.cwd) yield* pathsOf([step.cwd]);
}

function refuseNul(env: Readonly<Record<string, string | null>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (!value?.includes("\0")) continue;
    throw new PreparationError({
      code: "TEMPLATE_ERROR",
      message: `the value of ${name} holds a NUL character, which no environment can hold`,
    });
  }
}

/** Takes what an environment can not hold out of `env`: values over the limit, then the largest until all fit. */
function takeLargeValues(
  env: Record<string, string | null>,
  base: Environment,
  step: Step,
): Map<string, string> {
  const taken = new Map<string, string>();
  const sized = Object.entries(env)
    .map(([name, value]) => ({ name, value, bytes: value === null ? 0 : Buffer.byteLength(value) }))
    .sort((a, b) => b.bytes - a.bytes);
  let total = Object.entries(base).reduce((sum, [name, value]) => sum + name.length + value.length + 2, 0);
  for (const { name, bytes } of sized) total += name.length + bytes + 2;
  for (const { name, value, bytes } of sized) {
    if (value === null || (bytes <= MAX_VARIABLE_BYTES && total <= MAX_ENVIRONMENT_BYTES)) break;
    if (bytes < 1024) break;
    taken.set(name, value);
    env[name] = null;
    total -= bytes;
  }
  if (taken.size > 0 && !POSIX_SHELLS.has(basename(step.shell[0] ?? ""))) {
    throw new PreparationError({
      code: "TEMPLATE_ERROR",
      message: `the value of ${[...taken.keys()].join(", ")} is too large for an environment variable`,
      hint: "only a POSIX shell can be given it by file; pass a file instead of the value",
    });
  }
  return taken;
}

/** Lines before the script that read such values; the `x` keeps the newlines that `$(…)` would cut. */
function prelude(values: ReadonlyMap<string, string>): string {
  let text = "";
  for (const name of values.keys()) {
    const file = `"$WF_ATTEMPT_DIR/${ATTEMPT_FILES.values}/${name}"`;
    text += `${name}=$(cat ${file}; printf x); ${name}=\${${name}%x}\n`;
  }
  return text;
}

function workingFolder(places: Places, step: Step, attempt: string, scope: TemplateScope): string {
  const roots = {
    project: places.project,
    run_workspace: join(places.runDir, RUN_FILES.workspace),
    attempt: join(attempt, ATTEMPT_FILES.work),
  };
  const root = roots[step.workspaceMode];
  if (step.workspaceMode === "run_workspace") mkdirSync(root, { recursive: true });
  if (!step.cwd) return root;
  const wanted = String(renderTemplate(step.cwd, scope) ?? "");
  const folder = join(root, wanted);
  const inside = relative(root, folder);
  if (isAbsolute(wanted) || inside === ".." || inside.startsWith("../")) {
    throw new PreparationError({
      code: "CWD_NOT_FOUND",
      message: `cwd leaves the ${step.workspaceMode} folder: ${wanted}`,
    });
  }
  // The attempt's own folder is made after this.
  if (step.workspaceMode !== "attempt") requireFolder(folder, wanted);
  return folder;
}

function requireFolder(folder: string, wanted: string): void {
  try {
    if (statSync(folder).isDirectory()) {
      accessSync(folder, constants.X_OK);
      return;
    }
  } catch {
    // Said below.
  }
  throw new PreparationError({
    code: "CWD_NOT_FOUND",
    message: `cwd is no folder that can be entered: ${wanted}`,
  });
}

function outputFolders(scope: TemplateScope, attempt: string): string[] {
  const paths = Object.values(scope.workflow.output_paths ?? {});
  if (paths.length === 0) return [];
  return [...new Set([join(attempt, ATTEMPT_FILES.outputs), ...paths.map((path) => dirname(path))])];
}
