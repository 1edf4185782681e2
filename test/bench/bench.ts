import { spawnSync } from "node:child_process";
import { accessSync, constants, cpSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

export interface Settings {
  readonly rounds: number;
}

/** A timed call's result. */
export interface Timed {
  readonly ms: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Where a benchmark runs: a folder of its own, a copy of the built program, children without what would slow them.
 * Every run gets a fresh folder, and none is deleted: on ext4 that slows the creation of files for minutes.
 */
export class Bench {
  readonly settings: Settings;
  /** Absolute. */
  readonly root: string;
  readonly #wf: string;
  readonly #env: NodeJS.ProcessEnv;
  #folders = 0;
  /** When the present part has used up its time, by `performance.now()`. */
  #until = Number.POSITIVE_INFINITY;

  constructor(settings: Settings) {
    this.settings = settings;
    const parent = process.env.WF_BENCH_DIR ?? (existsSync("/var/tmp") ? "/var/tmp" : tmpdir());
    this.root = mkdtempSync(join(parent, "wf-bench-"));
    this.#wf = this.#copyProgram();
    this.#env = { ...process.env };
    for (const name of Object.keys(this.#env)) {
      if (/^(NODE_|npm_|WF_|GITHUB_|CI$|FORCE_COLOR$|MAKEFLAGS$)/.test(name)) delete this.#env[name];
    }
  }

  /** From now on a part is measured that may take about so long: rounds that no longer fit are left out. */
  begin(seconds: number): void {
    this.#until = performance.now() + seconds * 1000;
  }

  /**
   * Calls each entry once a round, in an order that shifts from round to round, so that what a machine does meanwhile
   * hits all alike. With `warmUp` there is a round before that does not count.
   */
  alternate(
    entries: Readonly<Record<string, () => number>>,
    options: { readonly rounds?: number; readonly warmUp?: boolean } = {},
  ): ReadonlyMap<string, number[]> {
    const names = Object.keys(entries);
    const samples = new Map<string, number[]>(names.map((name) => [name, []]));
    if (options.warmUp) for (const name of names) entries[name]?.();
    let longest = 0;
    for (let round = 0; round < (options.rounds ?? this.settings.rounds); round += 1) {
      const began = performance.now();
      if (round > 0 && began + longest > this.#until) break;
      for (let i = 0; i < names.length; i += 1) {
        const name = names[(i + round) % names.length] as string;
        samples.get(name)?.push((entries[name] as () => number)());
      }
      longest = Math.max(longest, performance.now() - began);
    }
    return samples;
  }

  /** A new folder; named, so that a person who looks finds his way. */
  folder(name: string): string {
    const path = join(this.root, `${name}-${++this.#folders}`);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** A folder with a workflow file in it; the file's path. */
  workflow(name: string, text: string): string {
    const path = join(this.folder(name), "workflow.yaml");
    writeFileSync(path, text);
    return path;
  }

  /** Milliseconds from the start of the process to its end; throws unless it exits with 0. */
  time(program: string, args: readonly string[], cwd = this.root): Timed {
    const began = performance.now();
    const done = spawnSync(program, [...args], {
      cwd,
      env: this.#env,
      encoding: "utf8",
      // The output of 10,000 steps and of the list of as many runs.
      maxBuffer: 256 * 1024 * 1024,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ms = performance.now() - began;
    if (done.error) throw done.error;
    if (done.status !== 0) {
      throw new Error(
        `${program} ${args.join(" ")}: status ${done.status ?? done.signal}\n${done.stderr}${done.stdout.slice(-2000)}`,
      );
    }
    return { ms, stdout: done.stdout, stderr: done.stderr };
  }

  node(args: readonly string[], cwd?: string): Timed {
    return this.time(process.execPath, args, cwd);
  }

  wf(args: readonly string[], cwd?: string): Timed {
    return this.node([this.#wf, ...args], cwd);
  }

  /** `wf run` into a fresh runs folder; `runDir` is where the run is. */
  run(
    file: string,
    args: readonly string[] = [],
    nodeFlags: readonly string[] = [],
  ): Timed & { runDir: string } {
    const runs = this.folder("runs");
    const timed = this.node([
      ...nodeFlags,
      this.#wf,
      "run",
      file,
      "--runs-dir",
      runs,
      "--run-id",
      "r",
      ...args,
    ]);
    return { ...timed, runDir: join(runs, "r") };
  }

  /** The same, and the engine's highest resident memory in MB (Linux; else NaN). */
  runMeasured(file: string, memory: string): Timed & { runDir: string; vmHwm: number } {
    const run = this.run(file, [], ["--require", memory]);
    return { ...run, vmHwm: vmHwmIn(run) };
  }

  /** `wf` with any command, and its highest resident memory in MB. */
  wfMeasured(args: readonly string[], memory: string): Timed & { vmHwm: number } {
    const timed = this.node(["--require", memory, this.#wf, ...args]);
    return { ...timed, vmHwm: vmHwmIn(timed) };
  }

  /** A build in the middle of a benchmark must not pull the files away under it. */
  #copyProgram(): string {
    const to = join(this.root, "program");
    if (!existsSync(join(PROJECT, "dist/cli.cjs")))
      throw new Error("there is no dist/; run npm run build first");
    for (const name of ["bin", "dist", "schemas", "package.json"]) {
      cpSync(join(PROJECT, name), join(to, name), { recursive: true });
    }
    // Not what is needed, but what `require` at run time would find in an installation.
    cpSync(join(PROJECT, "node_modules"), join(to, "node_modules"), {
      recursive: true,
      filter: (path) =>
        !/node_modules\/(?:\.bin|@biomejs|typescript|@esbuild|esbuild|tsx|@types)(?:\/|$)/.test(path),
    });
    return join(to, "bin/wf.js");
  }
}

/** What `memory.cjs` printed. */
function vmHwmIn({ stderr }: Timed): number {
  const kib = /^VmHWM (\d+)$/m.exec(stderr)?.[1];
  return (Number(kib ?? Number.NaN) * 1024) / 1e6;
}

/** Whether a program is on PATH. */
export function installed(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
