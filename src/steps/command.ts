import { basename, join } from "node:path";
import { MAX_ENVIRONMENT_BYTES, MAX_VARIABLE_BYTES } from "../core/limits.ts";
import type { RunState } from "../core/state.ts";
import { lookup, TemplateError } from "../core/template.ts";
import type { CommandStep, TemplatePath } from "../core/workflow.ts";
import { revealed, type Secrets } from "../secrets/secrets.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { attemptEnvironment, type Environment, inputVariables } from "./environment.ts";
import {
  type AttemptContext,
  findProgram,
  outputFolders,
  PreparationError,
  type Prepared,
  workingFolder,
} from "./prepare.ts";
import { asText, attemptScope, pathsOf } from "./scope.ts";

const POSIX_SHELLS = new Set(["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "busybox"]);

/** Renders a command step; raises `PreparationError` for what the step itself can not give (no shell, no value). */
export function prepareCommand(context: AttemptContext<CommandStep>): Prepared {
  const { state, places, node, step, attempt, dir, base, cookie } = context;
  try {
    const scope = attemptScope(state, places, node, attempt, pathsOfStep(state, step));
    const { secrets } = places;
    const env = attemptEnvironment(node, state.workflow, scope, { attemptDir: dir, cookie, secrets });
    const open = { ...scope, inputs: revealed(scope.inputs, secrets) };
    for (const { name, path } of step.script.variables) env[name] = asText(lookup(path, open));
    for (const { name, text, large } of inputVariables(state)) {
      if (large && step.script.text.includes(name)) env[name] = text;
    }
    refuseNul(env);
    const values = takeLargeValues(env, base, step);
    refuseSecretFiles(values, secrets);
    const cwd = workingFolder(places, step, dir, scope);
    const path = "PATH" in env ? env.PATH : base.PATH;
    const [program = "sh", ...options] = step.shell;
    const shell = findProgram(program, path ?? undefined, cwd);
    if (shell === null) {
      throw new PreparationError({
        code: "SHELL_NOT_FOUND",
        message: `there is no shell ${program}`,
        hint: `install ${program}, or name another with shell: in the workflow`,
      });
    }
    const { text } = step.script;
    const files = new Map<string, string>([
      [ATTEMPT_FILES.script, prelude(values) + text + (text.endsWith("\n") ? "" : "\n")],
    ]);
    for (const [name, value] of values) files.set(`${ATTEMPT_FILES.values}/${name}`, value);
    return {
      files,
      folders: outputFolders(scope, dir),
      cwd,
      argv: [shell, ...options, join(dir, ATTEMPT_FILES.script)],
      env,
    };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new PreparationError({ code: "TEMPLATE_ERROR", message: error.message });
  }
}

export function* pathsOfStep(state: RunState, step: CommandStep): Generator<TemplatePath> {
  for (const { path } of step.script.variables) yield path;
  yield* pathsOf(Object.values(step.env));
  yield* pathsOf(Object.values(state.workflow.env));
  if (step.cwd) yield* pathsOf([step.cwd]);
}

export function refuseNul(env: Readonly<Record<string, string | null>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (!value?.includes("\0")) continue;
    throw new PreparationError({
      code: "TEMPLATE_ERROR",
      message: `the value of ${name} holds a NUL character, which no environment can hold`,
    });
  }
}

/** What goes by file would be in the run's folder for good. */
function refuseSecretFiles(values: ReadonlyMap<string, string>, secrets: Secrets): void {
  for (const [name, value] of values) {
    if (secrets.maskText(value) === value) continue;
    throw new PreparationError({
      code: "TEMPLATE_ERROR",
      message: `the value of ${name} holds a secret, and is too large for an environment variable`,
      hint: "pass the secret by a variable of its own, without the rest",
    });
  }
}

/** Takes what an environment can not hold out of `env`: values over the limit, then the largest until all fit. */
function takeLargeValues(
  env: Record<string, string | null>,
  base: Environment,
  step: CommandStep,
): ReadonlyMap<string, string> {
  let total = sizeOfEnvironment(base);
  let largest = 0;
  const sized = Object.entries(env).map(([name, value]) => {
    const bytes = value === null ? 0 : Buffer.byteLength(value);
    total += name.length + bytes + 2;
    largest = Math.max(largest, bytes);
    return { name, value, bytes };
  });
  if (largest <= MAX_VARIABLE_BYTES && total <= MAX_ENVIRONMENT_BYTES) return NONE_TAKEN;
  const taken = new Map<string, string>();
  for (const { name, value, bytes } of sized.sort((a, b) => b.bytes - a.bytes)) {
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

const NONE_TAKEN: ReadonlyMap<string, string> = new Map();

/** What all steps of a run share is measured once. */
const environmentSizes = new WeakMap<Environment, number>();

function sizeOfEnvironment(env: Environment): number {
  let size = environmentSizes.get(env);
  if (size === undefined) {
    size = 0;
    for (const [name, value] of Object.entries(env)) size += name.length + value.length + 2;
    environmentSizes.set(env, size);
  }
  return size;
}

const PRELUDE = /^(?:(\w+)=\$\(cat "\$WF_ATTEMPT_DIR\/values\/\1"; printf x\); \1=\$\{\1%x\}\n)*/;

/** A script as the definition has it, without the lines that read large values. */
export function withoutPrelude(text: string): string {
  return text.replace(PRELUDE, "");
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
