import { join } from "node:path";
import { type AttemptName, placeName } from "../core/ids.ts";

/** Every file name in a run directory, in one place; `docs/run-directory.md` has an entry for each. */
export const FORMAT = "wf.run/1";

export const RUN_FILES = {
  snapshot: "run.json",
  journal: "progress.ndjson",
  definition: "workflow.yaml",
  control: "control",
  lock: "lock",
  steps: "steps",
  workspace: "workspace",
  prompts: "prompts",
  workflows: "workflows",
  definitions: "definitions",
  quarantine: "quarantine",
} as const;

export const LOCK_FILES = {
  owner: (epoch: number) => `owner-${epoch}.json`,
  free: (epoch: number) => `free-${epoch}`,
  heartbeat: "heartbeat",
} as const;

export const ATTEMPT_FILES = {
  script: "script.sh",
  prompt: "prompt.md",
  context: "context.json",
  stdin: "stdin.txt",
  gate: "gate.json",
  agent: "agent.json",
  stdout: "stdout.log",
  stderr: "stderr.log",
  exit: "exit",
  output: "output",
  summary: "summary.md",
  outputs: "outputs",
  values: "values",
  work: "work",
  inputs: "inputs.json",
  /** A nested run. */
  run: "run",
  record: "attempt.json",
} as const;

/** What a step's process printed. */
export const LOG_FILES: ReadonlySet<string> = new Set([ATTEMPT_FILES.stdout, ATTEMPT_FILES.stderr]);

/** Folders in which a run is being built; removed when their maker is dead. */
export const CREATING_PREFIX = ".creating-";

/** Runs that are being removed; whoever comes by removes the rest when their remover is dead. */
export const PRUNING_PREFIX = ".pruning-";

/** Bytes cut from the end of a journal by recovery. */
export const tornFile = (n: number) => `${RUN_FILES.journal}.torn-${n}`;

export const cancelRequest = (n: number) => `cancel-${n}.json`;

/** The folder of the definition that the run went on with after its n-th change. */
export const definitionFolder = (n: number) => `${RUN_FILES.definitions}/${n}`;

export const decideRequest = (step: string, attempt: number, n: number) =>
  `decide-${step}-${attempt}-${n}.json`;

/** The attempt's folder relative to the run, with `/` whatever the platform. */
export function attemptPath(name: AttemptName): string {
  return `${RUN_FILES.steps}/${placeName(name)}/attempt-${name.attempt}`;
}

export function attemptDir(runDir: string, name: AttemptName): string {
  return join(runDir, attemptPath(name));
}

/** Where a run keeps the copy of a file that its definition names: a prompt of its own, or what workflows nested in it need. */
export function copyPath(path: string, use: "prompt" | "workflow"): string {
  return `${use === "prompt" ? RUN_FILES.prompts : RUN_FILES.workflows}/${path}`;
}

/** Where the nested run of an attempt is. */
export function nestedDir(runDir: string, name: AttemptName): string {
  return join(attemptDir(runDir, name), ATTEMPT_FILES.run);
}
