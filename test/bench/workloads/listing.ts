import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../bench.ts";
import type { Table } from "../report.ts";
import { sequence } from "./graphs.ts";

const RUNS = 10_000;

/** `wf ls` over copies of one small run, each with an id of its own. */
export function listing(bench: Bench): Table[] {
  const { runDir } = bench.run(bench.workflow("small", sequence(3)), ["--durability", "process"]);
  const runs = bench.folder("many-runs");
  const record = readFileSync(join(runDir, "run.json"), "utf8");
  for (let i = 0; i < RUNS; i += 1) {
    const runId = `20261122-${String(i).padStart(6, "0")}-bench-aaaa`;
    const folder = join(runs, runId);
    mkdirSync(folder);
    writeFileSync(join(folder, "run.json"), record.replace('"runId": "r"', `"runId": "${runId}"`));
    cpSync(join(runDir, "progress.ndjson"), join(folder, "progress.ndjson"));
  }
  const samples = bench.alternate(
    { "wf ls": () => bench.wf(["ls", "--runs-dir", runs]).ms / 1000 },
    { warmUp: true },
  );
  const rows = [{ name: "wf ls", samples: samples.get("wf ls") ?? [], value: { must: 1, aim: 0.4 } }];
  return [{ title: `listing: ${RUNS} runs`, unit: "s", rows }];
}
