import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WF = join(ROOT, "bin/wf.js");

/** JSON that a test looks into; that it has the right shape is what the test says. */
// biome-ignore lint/suspicious/noExplicitAny: a wrong guess fails the test
export type Parsed = any;

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves when standard output holds the text. */
  says(text: string): Promise<void>;
  done(): Promise<Result>;
}

/** A folder of its own in which the real `wf` is run; gone after the test. */
export class Rig {
  readonly dir: string;
  /** For steps that call it. */
  readonly wfPath = WF;

  constructor(t: TestContext) {
    this.dir = realpathSync(mkdtempSync(join(tmpdir(), "wf-cli-")));
    mkdirSync(join(this.dir, ".wf"));
    t.after(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  write(file: string, text: string): string {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), text);
    return file;
  }

  read(file: string): string {
    return readFileSync(this.path(file), "utf8");
  }

  async wf(
    args: readonly string[],
    options: { input?: string; env?: Record<string, string> } = {},
  ): Promise<Result> {
    const running = this.start(args, options.env);
    running.child.stdin?.end(options.input ?? "");
    return await running.done();
  }

  /** `wf … --json`, parsed. */
  async json(args: readonly string[]): Promise<{ code: number | null; value: Parsed }> {
    const { code, stdout, stderr } = await this.wf([...args, "--json"]);
    try {
      return { code, value: JSON.parse(stdout) };
    } catch {
      throw new Error(`wf ${args.join(" ")} printed no JSON: ${stdout}${stderr}`);
    }
  }

  start(args: readonly string[], env: Record<string, string> = {}): Running {
    const child = spawn(process.execPath, [WF, ...args], {
      cwd: this.dir,
      env: cleanEnv(env),
      stdio: "pipe",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    // A command that reads no standard input may be gone before it is closed.
    child.stdin.on("error", () => {});
    const closed = once(child, "close");
    return {
      child,
      async says(text) {
        while (!stdout.includes(text)) {
          const more = await Promise.race([once(child.stdout, "data"), closed.then(() => null)]);
          if (more === null && !stdout.includes(text))
            throw new Error(`it never said ${text}: ${stdout}${stderr}`);
        }
      },
      async done() {
        await closed;
        return { code: child.exitCode, stdout, stderr };
      },
    };
  }

  /** What differs from run to run, replaced by a word for what it is. */
  plain(text: string): string {
    return text
      .replaceAll(this.dir, "<dir>")
      .replace(/\d{8}-\d{6}-([a-z0-9_-]+)-[a-z0-9]{4}\b/g, "<id of $1>")
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "<date>")
      .replace(/^\d\d:\d\d:\d\d [a-z0-9]{4} /gm, "<time> <run> ")
      .replace(/^\d\d:\d\d:\d\d /gm, "<time> ")
      .replace(/\b\d+ ms\b|\b\d+\.\d s\b/g, "<took>")
      .replace(/process \d+ on \S+ since [\d:]+/g, "process <pid> on <host> since <clock>");
  }
}

function cleanEnv(env: Record<string, string>): Record<string, string | undefined> {
  const clean: Record<string, string | undefined> = { ...process.env };
  const theirs = [
    "CI",
    "NO_COLOR",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
    "WF_DEBUG",
    "WF_RUNS_DIR",
  ];
  for (const name of [...theirs, "NODE_EXTRA_CA_CERTS", "NODE_TEST_CONTEXT", "WF_ATTEMPT_ID"])
    delete clean[name];
  return { ...clean, TZ: "UTC", TERM: "dumb", ...env };
}
