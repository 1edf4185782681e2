import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import type { Failure } from "../core/event.ts";
import type { RunState, StepNode } from "../core/state.ts";
import { renderTemplate, type TemplateScope } from "../core/template.ts";
import type { Step } from "../core/workflow.ts";
import { findShell } from "../process/shell.ts";
import { ATTEMPT_FILES, RUN_FILES } from "../store/layout.ts";
import type { Environment } from "./environment.ts";
import type { Places } from "./scope.ts";

/** What every type of step is prepared from. */
export interface AttemptContext<S extends Step = Step> {
  readonly state: RunState;
  readonly places: Places;
  readonly node: StepNode;
  readonly step: S;
  readonly attempt: number;
  /** The attempt's folder, absolute; it does not exist yet. */
  readonly dir: string;
  /** What all steps of the run inherit. */
  readonly base: Environment;
  readonly cookie: string;
}

/** All that an attempt needs before its process may begin. */
export interface Prepared {
  /** Text files to write, by their path in the attempt's folder. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders to make, absolute. */
  readonly folders: readonly string[];
  readonly cwd: string;
  /** The program, as an absolute path, and its arguments. */
  readonly argv: readonly string[];
  /** On top of what the run's steps share; null takes a variable away. */
  readonly env: Readonly<Record<string, string | null>>;
  /** Absolute path of the standard input; nothing if absent. */
  readonly stdin?: string;
}

/** The step itself can not give what its attempt needs: no shell, no value. */
export class PreparationError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

const shells = new Map<string, string>();

/** The program `execvp` would find, or null. A look through PATH for each of thousands of steps would cost as much as all else that prepares them. */
export function findProgram(program: string, path: string | undefined, cwd: string): string | null {
  const key = `${program}\0${path}\0${cwd}`;
  const known = shells.get(key) ?? findShell(program, path, cwd);
  if (known !== null) shells.set(key, known);
  return known;
}

/** The folder a step works in; raises `PreparationError` (CWD_NOT_FOUND). */
export function workingFolder(places: Places, step: Step, attempt: string, scope: TemplateScope): string {
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

/** Folders that declared output files will stand in. */
export function outputFolders(scope: TemplateScope, attempt: string): string[] {
  const paths = Object.values(scope.workflow.output_paths ?? {});
  if (paths.length === 0) return [];
  return [...new Set([join(attempt, ATTEMPT_FILES.outputs), ...paths.map((path) => dirname(path))])];
}
