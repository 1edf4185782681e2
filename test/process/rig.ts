import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Command } from "../../src/process/environment.ts";
import type { JobEnd } from "../../src/process/executor.ts";
import { createLauncher, type LaunchedProcess, type Launcher } from "../../src/process/launcher.ts";
import { groupMembers, signalGroup } from "../../src/process/process-table.ts";

export type By = "helper" | "spawn";

/** A folder that is removed after the test. */
export function tempDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "wf-process-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Looks until it is so. The runner's own limit is the only one: nothing here depends on how fast a machine is. */
export async function until<T>(look: () => T | undefined | null | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== null && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

export interface Started {
  readonly process: LaunchedProcess;
  readonly dir: string;
  readonly end: Promise<JobEnd>;
}

/** A launcher of which the test holds the commands. */
export class Rig {
  readonly dir: string;
  readonly launcher: Launcher;
  readonly ended: JobEnd[] = [];
  readonly #ends = new Map<LaunchedProcess, (end: JobEnd) => void>();
  readonly #started = new Set<number>();
  #attempts = 0;

  constructor(t: TestContext, by: By, options: { env?: NodeJS.ProcessEnv; capacity?: number } = {}) {
    this.dir = tempDir(t);
    this.launcher = createLauncher({
      env: options.env ?? process.env,
      capacity: options.capacity ?? 3,
      by,
      onReady: () => undefined,
      onEnd: (launched, end) => {
        this.ended.push(end);
        this.#ends.get(launched)?.(end);
      },
      onBroken: (why) => {
        throw new Error(why);
      },
    });
    this.launcher.want(1);
    t.after(async () => {
      // What a test that failed has not ended.
      for (const pid of this.#started) signalGroup(pid, "SIGKILL");
      await this.launcher.close();
    });
  }

  async take(): Promise<LaunchedProcess> {
    return until(() => {
      const launched = this.launcher.take();
      if (launched === null) this.launcher.want(1);
      return launched;
    });
  }

  command(script: string, more: Partial<Command> = {}): Command {
    const attemptDir = join(this.dir, `attempt-${++this.#attempts}`);
    mkdirSync(attemptDir);
    writeFileSync(join(attemptDir, "script.sh"), `${script}\n`);
    const argv = ["/bin/sh", "-e", join(attemptDir, "script.sh")];
    return { attemptDir, cwd: this.dir, argv, env: {}, ...more };
  }

  async start(script: string, more: Partial<Command> = {}): Promise<Started> {
    const launched = await this.take();
    const command = this.command(script, more);
    const end = new Promise<JobEnd>((resolve) => this.#ends.set(launched, resolve));
    this.#started.add(launched.identity.pid);
    void end.then(() => this.#started.delete(launched.identity.pid));
    this.launcher.prepare(launched, command);
    this.launcher.open(launched);
    return { process: launched, dir: command.attemptDir, end };
  }

  async run(script: string, more: Partial<Command> = {}): Promise<{ dir: string; end: JobEnd }> {
    const { dir, end } = await this.start(script, more);
    return { dir, end: await end };
  }
}

/** Nobody of the group is left but, perhaps, a zombie that the system has not collected. */
export function isGroupEmpty(pgid: number): boolean {
  return groupMembers(pgid).length === 0;
}
