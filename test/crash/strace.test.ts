/* The same from outside of the process: strace kills wf at a system call, or makes the call fail. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { randomFrom, sample } from "./cases.ts";
import { check, checkRunsFolder, sentences, type Violation } from "./checker.ts";
import { show, type Undisturbed, undisturbed } from "./run-case.ts";
import { drive, EFFECTS, SCENARIOS, type Scenario, stage } from "./scenarios.ts";

const seed = Number(process.env.WF_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
const wanted = process.env.WF_CRASH_CASES === "all" ? Infinity : Number(process.env.WF_STRACE_CASES ?? 16);
const random = randomFrom(seed);
const scenario = SCENARIOS[0] as Scenario;

/** Only the engine's own thread is watched, so that no call of a step or of Node's pool is struck. */
const KILLED_AT = ["fdatasync", "rename", "link", "mkdir", "write", "unlink", "ftruncate"];
const FAILING = [
  ["fdatasync", "EIO"],
  ["fsync", "EIO"],
  ["rename", "ENOSPC"],
  ["mkdir", "ENOSPC"],
  ["link", "EDQUOT"],
] as const;

interface Injection {
  readonly call: string;
  readonly nth: number;
  readonly what: string;
}

function whyNot(): string | false {
  if (process.platform !== "linux") return "strace is for Linux";
  const tried = spawnSync("strace", ["-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1", "true"]);
  if (tried.error) return "strace is not installed";
  return tried.status === 0 ? false : "strace is not permitted here, or can not inject";
}

describe(`a run, broken by strace (WF_CRASH_SEED=${seed})`, { skip: whyNot() }, () => {
  test("killed at a system call, or the call fails", async () => {
    const plain = await undisturbed(scenario);
    try {
      const calls = await countCalls();
      const all = [
        ...KILLED_AT.flatMap((call) => each(calls, call, "signal=SIGKILL")),
        ...FAILING.flatMap(([call, errno]) => each(calls, call, `error=${errno}`)),
      ];
      const chosen = sample(all, wanted, random);
      const failures: string[] = [];
      for (const one of chosen) {
        const found = await tryOne(one, plain);
        if (found.length > 0)
          failures.push(`${one.call} ${one.nth} ${one.what}\n    ${found.join("\n    ")}`);
      }
      console.log(`strace: ${chosen.length} of ${all.length} cases, violations: ${failures.length}`);
      assert.equal(failures.join("\n"), "");
    } finally {
      await plain.project.remove();
    }
  });
});

function each(calls: ReadonlyMap<string, number>, call: string, what: string): Injection[] {
  return Array.from({ length: calls.get(call) ?? 0 }, (_, index) => ({ call, nth: index + 1, what }));
}

/** How often an undisturbed run makes each call. */
async function countCalls(): Promise<Map<string, number>> {
  const project = stage(scenario);
  try {
    const names = new Set([...KILLED_AT, ...FAILING.map(([call]) => call)]);
    const trace = project.path("strace");
    const by = [
      "strace",
      "-o",
      trace,
      "-e",
      `trace=${[...names].map((name) => `?${name}`).join(",")}`,
      process.execPath,
    ];
    const result = await drive(project, scenario, { by });
    assert.equal(result.code, 0, show(result));
    const counts = new Map<string, number>();
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      const name = /^(\w+)\(/.exec(line)?.[1];
      if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  } finally {
    await project.remove();
  }
}

async function tryOne({ call, nth, what }: Injection, plain: Undisturbed): Promise<string[]> {
  const project = stage(scenario);
  const found: Violation[] = [];
  try {
    const by = [
      "strace",
      "-o",
      "/dev/null",
      "-e",
      `trace=${call}`,
      "-e",
      `inject=${call}:${what}:when=${nth}`,
    ];
    const result = await drive(project, scenario, { by: [...by, process.execPath] });
    found.push(...checkRunsFolder(project.runsDir, { quiet: false }));
    const [runDir] = project.runDirs();
    if (runDir) found.push(...check({ runDir, phase: "crashed" }));
    if (what.startsWith("error") && result.code !== 0) {
      const injected = { code: result.code, stderr: result.stderr };
      found.push(
        ...check({ runDir: "/nonexistent", phase: "crashed", injected }).filter((v) => v.invariant === "I14"),
      );
    }
    const resumed = await drive(project, scenario);
    if (resumed.code !== 0) found.push({ invariant: "I11", sentence: show(resumed) });
    await project.quiet(3_000).catch(() => {});
    found.push(
      ...check({
        runDir: project.onlyRun(),
        phase: "recovered",
        undisturbed: plain.runDir,
        effects: project.lines(EFFECTS),
        expected: scenario.expected,
        children: what.startsWith("error") ? "died" : "lived",
        processes: project.processes().map(({ command }) => command),
      }),
      ...checkRunsFolder(project.runsDir, { quiet: true }),
    );
    return sentences(found);
  } catch (error) {
    return [...sentences(found), `the case itself failed: ${error instanceof Error ? error.message : error}`];
  } finally {
    if (existsSync(project.dir)) await project.remove();
  }
}
