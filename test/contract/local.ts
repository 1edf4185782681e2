import { type ChildProcess, spawn } from "node:child_process";
import type { StartedProcess } from "../../src/core/event.ts";
import type { JobEnd } from "../../src/process/executor.ts";
import { createLocal } from "../../src/process/local.ts";
import { cookieBearers, signalGroup, signalProcess } from "../../src/process/process-table.ts";
import { readProcess } from "../../src/system/identity.ts";
import { isGone } from "../rig/processes.ts";
import { until } from "../rig/wait.ts";
import type { StartedJob, Subject, System } from "./subject.ts";

type By = "helper" | "spawn";

/** The processes of this machine, with a launcher of either kind. */
function local(by: By): Subject<StartedProcess> {
  return {
    name: `local, ${by}`,
    create: (_, options) => createLocal({ ...options, by }),
    serve: async () => new Machine(by),
  };
}

export const helper = local("helper");
export const spawned = local("spawn");

class Machine implements System<StartedProcess> {
  readonly #by: By;
  readonly #aliens: ChildProcess[] = [];
  readonly startsLate = false;

  constructor(by: By) {
    this.#by = by;
  }

  async strike({ pid, cookie, recorder }: StartedProcess): Promise<void> {
    const pids = cookieBearers(cookie);
    if (recorder) signalProcess(recorder.pid, "SIGKILL");
    signalGroup(pid, "SIGKILL");
    for (const each of pids) signalProcess(each, "SIGKILL");
    await until(() => cookieBearers(cookie).length === 0, "its processes to be gone");
  }

  async startAgain({ reference, command }: StartedJob<StartedProcess>): Promise<void> {
    let end: JobEnd | undefined;
    const second = createLocal({
      env: process.env,
      maxJobs: 1,
      by: this.#by,
      onRoom: () => undefined,
      onEnd: (_, how) => {
        end = how;
      },
      onBroken: (why) => {
        throw new Error(why);
      },
    });
    second.want(1);
    const job = await until(() => second.reserve(reference.cookie), "a place");
    second.handOver(job, command);
    second.open(job);
    await until(() => end, "the second start to end");
    await second.close();
  }

  async giveIdAway(reference: StartedProcess) {
    const { pid } = this.#alien();
    return { reference: { ...reference, pid }, alienLives: () => !isGone(pid) };
  }

  async insistItRuns(reference: StartedProcess): Promise<StartedProcess> {
    return { ...reference, ...this.#alien() };
  }

  /** As where the process table says of a process that it is there, and no more. */
  async silence(reference: StartedProcess) {
    const { recorder } = reference;
    const untold = { startTime: "", ...(recorder && { recorder: { ...recorder, startTime: "" } }) };
    return { reference: { ...reference, ...untold }, speak: () => undefined };
  }

  async close(): Promise<void> {
    for (const alien of this.#aliens) alien.kill("SIGKILL");
  }

  #alien(): { pid: number; startTime: string } {
    const alien = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    this.#aliens.push(alien);
    const pid = alien.pid as number;
    return { pid, startTime: readProcess(pid)?.startTime as string };
  }
}
