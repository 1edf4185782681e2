import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import type { StartedProcess } from "../../src/core/event.ts";
import { readJournal, untilEvent } from "./journal.ts";
import { kill } from "./processes.ts";
import type { Background, Project } from "./project.ts";
import { until } from "./wait.ts";

/** Shell lines that tell of the step in `effects`, then wait until the test lets it go on. */
export function hold(extra = ""): string {
  return `exec 9>>"$PWD/effects.$WF_STEP_ID"
      flock -n 9 || echo "overlap $WF_STEP_ID" >> effects
      echo "$WF_STEP_ID" >> effects
      while [ ! -e "go-$WF_STEP_ID" ]; do sleep 0.02; done
      ${extra}`;
}

/** Shell lines that tell of the step in `effects`. */
export const TELL = 'echo "$WF_STEP_ID" >> effects';

/** Lets the held step go on. */
export function letGo(project: Project, step: string): void {
  writeFileSync(project.path(`go-${step}`), "");
}

/** `first`, `held`, `last`; `held` goes on when the test says so. */
export const HELD_WORKFLOW = `id: held
steps:
  - id: first
    run: ${TELL}
  - id: held
    run: |
      ${hold('echo "answer=42" >> "$WF_OUTPUT"')}
  - id: last
    run: ${TELL}
`;

export interface HeldRun {
  readonly engine: Background;
  readonly runDir: string;
}

/** Starts the workflow and waits until the command of `step` is at work. */
export async function startHeld(
  project: Project,
  text: string = HELD_WORKFLOW,
  step = "held",
): Promise<HeldRun> {
  const file = project.write("held.yaml", text);
  const engine = project.start(["run", file]);
  const runDir = await project.untilRun();
  await untilAtWork(project, step);
  return { engine, runDir };
}

/** Waits until the command of `step` has told of itself `times` times. */
export async function untilAtWork(project: Project, step: string, times = 1): Promise<void> {
  await until(
    () => project.lines("effects").filter((line) => line === step).length >= times,
    `${step} to be at work for the ${times}. time`,
  );
}

/** SIGKILL for the engine alone, and it is gone. */
export async function killEngine({ engine }: HeldRun): Promise<void> {
  kill([engine.pid]);
  await engine.ended;
}

/** The process of an attempt, as the journal has it. */
export async function processOf(runDir: string, step: string, attempt = 1): Promise<number> {
  return (await startedProcess(runDir, step, attempt)).pid;
}

/** Who writes the exit status of a step. */
export async function recorderOf(runDir: string, step: string, attempt = 1): Promise<number> {
  const started = await startedProcess(runDir, step, attempt);
  return (started.recorder ?? started).pid;
}

async function startedProcess(runDir: string, step: string, attempt: number): Promise<StartedProcess> {
  const line = await untilEvent(
    runDir,
    "attempt_started",
    (one) => one.step === step && one.attempt === attempt,
  );
  return line.volatile.process;
}

/** How each attempt of a step ended, in order. */
export function endsOf(runDir: string, step: string): string[] {
  return readJournal(runDir)
    .filter(({ event, record }) => event === "attempt_ended" && record.step === step)
    .map(({ record }) => record.status);
}

/** Why tests that look at processes and at overlapping executions are skipped here, or false. */
export const needsLinux = !existsSync("/proc/self/environ")
  ? "needs /proc"
  : spawnSync("flock", ["--version"]).error
    ? "needs flock"
    : false;
