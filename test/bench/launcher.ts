/**
 * What starting and ending a step costs, next to make: a chain of 200 and a fan of 1,000 two at once, each step
 * `true`, with its folder, script and record written and one fdatasync per turn as a run does it.
 *
 *     node --import tsx test/bench/launcher.ts [rounds]
 *
 * Leaves its folders in /var/tmp: deleting many files slows later creation on ext4.
 */
import { spawnSync } from "node:child_process";
import {
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createLauncher, type LaunchedProcess } from "../../src/process/launcher.ts";

interface Shape {
  readonly name: string;
  readonly steps: number;
  readonly atOnce: number;
}

const SHAPES: Shape[] = [
  { name: "chain of 200", steps: 200, atOnce: 1 },
  { name: "fan of 1000, two at once", steps: 1000, atOnce: 2 },
];

const rounds = Number(process.argv[2] ?? 5);
const root = mkdtempSync("/var/tmp/wf-launcher-");
delete process.env.NODE_EXTRA_CA_CERTS;

for (const shape of SHAPES) {
  const results = new Map<string, number[]>();
  const note = (name: string, ms: number) =>
    results.set(name, [...(results.get(name) ?? []), ms / shape.steps]);
  for (let round = 0; round < rounds; round++) {
    note("make", make(shape));
    note("helper, power", await launch(shape, "helper", true));
    note("helper, process", await launch(shape, "helper", false));
    note("spawn, power", await launch(shape, "spawn", true));
  }
  const base = median(results.get("make") ?? []);
  console.log(`${shape.name} (ms per step: median, min to max, ratio to make)`);
  for (const [name, times] of results) {
    const figures = [median(times), Math.min(...times), Math.max(...times)].map((ms) => ms.toFixed(2));
    console.log(
      `  ${name.padEnd(16)} ${figures[0]}  ${figures[1]} to ${figures[2]}  ${(median(times) / base).toFixed(2)}`,
    );
  }
}

function make({ steps, atOnce }: Shape): number {
  const names = Array.from({ length: steps }, (_, i) => `s${i}`);
  const rules = names.map((name, i) => `${name}:${atOnce === 1 && i > 0 ? ` s${i - 1}` : ""}\n\t@:;true\n`);
  const file = join(mkdtempSync(join(root, "make-")), "Makefile");
  writeFileSync(file, `all: ${names.join(" ")}\n${rules.join("")}`);
  const start = performance.now();
  spawnSync("make", ["-s", `-j${atOnce}`, "-f", file]);
  return performance.now() - start;
}

function launch({ steps, atOnce }: Shape, by: "helper" | "spawn", sync: boolean): Promise<number> {
  const folder = mkdtempSync(join(root, `${by}-`));
  const journal = openSync(join(folder, "journal"), "a");
  const start = performance.now();
  return new Promise((resolve) => {
    const folders = new Map<LaunchedProcess, string>();
    let lines = "";
    let ended: string[] = [];
    let next = 0;
    let done = 0;
    const launcher = createLauncher({
      env: {
        ...process.env,
        WF_RUN_DIR: folder,
        WF_RUN_ID: "20261122-071630-bench-k3f9",
        WF_WORKFLOW_ID: "bench",
      },
      capacity: atOnce + 2,
      by,
      onReady: turn,
      onEnd: (step) => {
        ended.push(folders.get(step) as string);
        folders.delete(step);
        lines += journalLine({
          event: "attempt_ended",
          record: { step: ended.at(-1), status: "succeeded", exitCode: 0 },
        });
        turn();
      },
      onBroken: (why) => {
        throw new Error(why);
      },
    });
    launcher.want(atOnce);

    function turn(): void {
      const opened: LaunchedProcess[] = [];
      while (folders.size < atOnce && next < steps && launcher.idle > 0) {
        const step = launcher.take();
        if (step === null) break;
        const attemptDir = makeStep(folder, `s${next++}`);
        folders.set(step, attemptDir);
        launcher.prepare(step, command(attemptDir, folder));
        lines += journalLine({
          event: "attempt_started",
          attempt: 1,
          cause: "first",
          volatile: step.identity,
        });
        opened.push(step);
      }
      if (lines !== "") writeSync(journal, lines);
      if (lines !== "" && sync) fdatasyncSync(journal);
      lines = "";
      for (const step of opened) launcher.open(step);
      for (const attemptDir of ended) writeRecord(attemptDir);
      done += ended.length;
      ended = [];
      if (done < steps) return;
      done = Number.NEGATIVE_INFINITY;
      void launcher.close().then(() => resolve(performance.now() - start));
    }
  });
}

function makeStep(folder: string, id: string): string {
  const attemptDir = join(folder, "steps", id, "attempt-1");
  mkdirSync(attemptDir, { recursive: true });
  writeFileSync(join(attemptDir, "script.sh"), "true\n");
  return attemptDir;
}

function command(attemptDir: string, folder: string) {
  const env = {
    WF_STEP_ID: attemptDir.split("/").at(-2) as string,
    WF_ATTEMPT: "1",
    WF_ATTEMPT_DIR: attemptDir,
    WF_ATTEMPT_ID: "0123456789abcdef0123456789abcdef",
    WF_OUTPUT: join(attemptDir, "output"),
    WF_OUTPUTS: join(attemptDir, "outputs"),
    WF_STEP_SUMMARY: join(attemptDir, "summary.md"),
  };
  return { attemptDir, cwd: folder, argv: ["/bin/sh", "-e", join(attemptDir, "script.sh")], env };
}

function writeRecord(attemptDir: string): void {
  writeFileSync(join(attemptDir, ".attempt"), '{\n  "status": "succeeded",\n  "exitCode": 0\n}\n');
  renameSync(join(attemptDir, ".attempt"), join(attemptDir, "attempt.json"));
}

function journalLine(event: object): string {
  return `${JSON.stringify({ seq: 1, at: new Date().toISOString(), epoch: 1, run: "bench", ...event })}\n`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
