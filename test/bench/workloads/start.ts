import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../bench.ts";
import type { Row, Table } from "../report.ts";
import { sequence } from "./graphs.ts";

/** Short commands next to the shortest program that Node can run. */
export function start(bench: Bench): Table[] {
  const one = bench.workflow("one", "id: one\nsteps:\n  - id: only\n    run: 'true'\n");
  const ten = bench.run(bench.workflow("ten", sequence(10)), ["--durability", "process"]).runDir;
  const bare = join(bench.folder("bare"), "bare.mjs");
  writeFileSync(bare, "");
  const samples = bench.alternate(
    {
      "node -e 0": () => bench.node(["-e", "0"]).ms,
      "wf run, one step": () => bench.run(one).ms,
      "wf run, one step, process": () => bench.run(one, ["--durability", "process"]).ms,
      "wf --version": () => bench.wf(["--version"]).ms,
      "wf status, 10 steps": () => bench.wf(["status", ten]).ms,
    },
    { rounds: bench.settings.rounds * 3, warmUp: true },
  );
  const targets: Record<string, Row["ratio"]> = {
    "wf run, one step": { must: 3.5, aim: 2 },
    "wf --version": { must: 2.5, aim: 1.5 },
    "wf status, 10 steps": { must: 2.5, aim: 1.5 },
  };
  const rows = [...samples].map(([name, values]): Row => {
    const ratio = targets[name];
    return { name, samples: values, ...(ratio && { ratio }) };
  });
  return [{ title: "start: a whole process", unit: "ms", base: "node -e 0", rows }];
}
