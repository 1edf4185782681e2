import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isGone, kill, type LiveProcess, processesWith } from "./processes.ts";
import { PATIENCE_MS, until } from "./wait.ts";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The program under test; `WF_BIN` names another build of it. */
export const WF_BIN = resolve(process.env.WF_BIN ?? join(ROOT, "bin/wf.js"));
export const FAULT_MODULE = join(ROOT, "test/rig/fault.mjs");

/** Every process of a test's wf bears this in its environment; wf keeps variables of its own name from its steps. */
export const MARK = "TEST_RIG_MARK";

export interface Fault {
  readonly at?: number;
  readonly on?: string;
  readonly when?: "before" | "middle" | "after";
  readonly part?: number;
  readonly does?: "kill" | "error" | "stop";
  readonly children?: boolean;
  readonly errno?: string;
  readonly onward?: boolean;
  readonly clockMs?: number;
  readonly trace?: string;
}

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WfOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly fault?: Fault;
  /** What runs instead of `node`, before the path of wf; such as strace and its options, ending in node. */
  readonly by?: readonly string[];
}

/** A wf that runs in the background. */
export interface Background {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly ended: Promise<Result>;
}

/** A folder of its own with workflows and runs, and the processes that work in it. */
export class Project {
  readonly dir: string;
  readonly runsDir: string;
  readonly mark = `${process.pid}-${randomBytes(6).toString("hex")}`;

  constructor(parent: string = tmpdir()) {
    this.dir = fs.realpathSync(fs.mkdtempSync(join(parent, "wf-test-")));
    this.runsDir = join(this.dir, ".wf/runs");
    fs.mkdirSync(join(this.dir, ".wf"));
  }

  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  write(name: string, text: string): string {
    const path = this.path(name);
    fs.mkdirSync(dirname(path), { recursive: true });
    fs.writeFileSync(path, text);
    return path;
  }

  environment(options: WfOptions = {}): Record<string, string> {
    const kept = ["PATH", "HOME", "USER", "TMPDIR", "LANG", "NODE_V8_COVERAGE"];
    const own = Object.fromEntries(
      kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
    );
    return {
      ...own,
      NO_COLOR: "1",
      [MARK]: this.mark,
      ...(options.fault && {
        NODE_OPTIONS: `--import=file://${FAULT_MODULE}`,
        WF_FAULT: JSON.stringify({ ...options.fault, mark: `${MARK}=${this.mark}` }),
      }),
      ...options.env,
    };
  }

  start(args: readonly string[], options: WfOptions = {}): Background {
    const [program, ...before] = options.by ?? [process.execPath];
    return this.spawn(program as string, [...before, WF_BIN, ...args], options);
  }

  /** Runs wf to its end. */
  async wf(args: readonly string[], options: WfOptions = {}): Promise<Result> {
    return this.start(args, options).ended;
  }

  /** A shell command line in the project; `$WF` runs wf. */
  async shell(line: string, options: WfOptions = {}): Promise<Result> {
    const env = { WF: `${process.execPath} ${WF_BIN}`, ...options.env };
    return this.spawn("bash", ["-c", line], { ...options, env }).ended;
  }

  private spawn(program: string, args: string[], options: WfOptions): Background {
    const settings: SpawnOptions = {
      cwd: options.cwd ?? this.dir,
      env: this.environment(options),
      stdio: ["ignore", "pipe", "pipe"],
    };
    const child = spawn(program, args, settings);
    return { pid: child.pid ?? -1, child, ended: collect(child, `${program} ${args.join(" ")}`) };
  }

  /** Folders of runs, by name. */
  runDirs(): string[] {
    if (!fs.existsSync(this.runsDir)) return [];
    const names = fs.readdirSync(this.runsDir).filter((name) => !name.startsWith("."));
    return names.sort().map((name) => join(this.runsDir, name));
  }

  onlyRun(): string {
    const [run, ...others] = this.runDirs();
    if (!run || others.length > 0)
      throw new Error(`not exactly one run: ${this.runDirs().join(", ") || "none"}`);
    return run;
  }

  async untilRun(): Promise<string> {
    return until(() => this.runDirs()[0], "a run directory");
  }

  processes(): LiveProcess[] {
    return processesWith(MARK, this.mark);
  }

  /** Waits until no process of the project is left. */
  async quiet(patienceMs = PATIENCE_MS): Promise<void> {
    await until(() => this.processes().length === 0, "the processes of the project to end", patienceMs);
  }

  lines(name: string): string[] {
    if (!fs.existsSync(this.path(name))) return [];
    return fs.readFileSync(this.path(name), "utf8").split("\n").filter(Boolean);
  }

  async remove(): Promise<void> {
    for (let left = this.processes(); left.length > 0; left = this.processes()) {
      kill(left.map(({ pid }) => pid));
      await until(() => left.every(({ pid }) => isGone(pid)), "killed processes to end");
    }
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * The result once the process has ended. Its output is taken as far as it has come: a step that lives on may hold
 * the descriptors open, and nobody should wait for that.
 */
function collect(child: ChildProcess, what: string): Promise<Result> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  return new Promise((done, fail) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      fail(new Error(`did not end within ${PATIENCE_MS} ms: ${what}\n${stdout}${stderr}`));
    }, PATIENCE_MS);
    child.on("error", fail);
    child.on("exit", (code, signal) => {
      clearTimeout(late);
      const answer = () => done({ code, signal, stdout, stderr });
      const grace = setTimeout(answer, 500);
      child.on("close", () => {
        clearTimeout(grace);
        answer();
      });
    });
  });
}

/** A project that is removed when the test ends; kept, and named, if `WF_TEST_KEEP` is set. */
export function projectFor(t: { after(clean: () => Promise<void>): void }): Project {
  const project = new Project();
  t.after(async () => {
    if (process.env.WF_TEST_KEEP) process.stderr.write(`kept: ${project.dir}\n`);
    else await project.remove();
  });
  return project;
}
