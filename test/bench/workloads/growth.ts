import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import { alternate, type Row, type Table } from "../report.ts";
import { fan, graph } from "./graphs.ts";

const MEMORY = fileURLToPath(new URL("../memory.mjs", import.meta.url));

/** What a step costs in runs of many, what the engine's memory comes to, and how long it takes to look at the run. */
export function growth(bench: Bench): Table[] {
  const { rounds, large } = bench.settings;
  const sizes = [1000, 10_000, ...(large ? [100_000] : [])];
  const files = new Map(sizes.map((steps) => [steps, bench.workflow(`fan-${steps}`, graph(fan(steps)))]));
  const memory = new Map<number, number[]>(sizes.map((steps) => [steps, []]));
  const last = new Map<number, string>();
  const entry = (steps: number) => () => {
    const { ms, runDir, vmHwm } = bench.runMeasured(files.get(steps) as string, MEMORY);
    memory.get(steps)?.push(vmHwm);
    last.set(steps, runDir);
    return ms / steps;
  };
  const name = (steps: number) => `${steps} steps`;
  // Ten rounds of 10,000 steps take minutes and tell no more than a few.
  const samples = alternate(
    Math.min(rounds, 3),
    Object.fromEntries(sizes.map((steps) => [name(steps), entry(steps)])),
  );
  const cost = [...samples].map(
    ([of, values]): Row => ({
      name: of,
      samples: values,
      ...(of !== name(1000) && { ratio: { must: 1.3, aim: 1 } }),
    }),
  );
  const limits = new Map([
    [10_000, { must: 150, aim: 100 }],
    [100_000, { must: 400, aim: 250 }],
  ]);
  const resident = sizes.map((steps): Row => {
    const value = limits.get(steps);
    return { name: name(steps), samples: memory.get(steps) ?? [], ...(value && { value }) };
  });
  return [
    {
      title: "growth: cost of a step",
      unit: "ms per step, --durability power",
      base: name(1000),
      rows: cost,
    },
    { title: "growth: highest resident memory of the engine", unit: "MB", rows: resident },
    finished(bench, last.get(10_000) as string),
  ];
}

/** Looking at a run of 10,000 steps that has ended. */
function finished(bench: Bench, runDir: string): Table {
  const samples = alternate(
    bench.settings.rounds,
    {
      "wf resume": () => bench.wf(["resume", runDir]).ms / 1000,
      "wf status": () => bench.wf(["status", runDir]).ms / 1000,
    },
    { warmUp: true },
  );
  const value = { must: 0.6, aim: 0.25 };
  const rows = [...samples].map(([name, values]): Row => ({ name, samples: values, value }));
  return { title: "growth: a finished run of 10,000 steps", unit: "s", rows };
}
