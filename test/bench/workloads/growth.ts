import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import type { Row, Table } from "../report.ts";
import { fan, graph } from "./graphs.ts";

const MEMORY = fileURLToPath(new URL("../memory.cjs", import.meta.url));

/** What a step costs in a run of many, and what the engine's memory comes to. */
export function growth(bench: Bench): Table[] {
  const { tables, last } = measure(bench, "growth", 10_000, { must: 150, aim: 100 });
  return [...tables, finished(bench, last)];
}

export function large(bench: Bench): Table[] {
  return measure(bench, "large", 100_000, { must: 400, aim: 250 }).tables;
}

function measure(
  bench: Bench,
  part: string,
  steps: number,
  memory: Row["value"] & object,
): { tables: Table[]; last: string } {
  const small = bench.workflow("fan-1000", graph(fan(1000)));
  const many = bench.workflow(`fan-${steps}`, graph(fan(steps)));
  const resident: number[] = [];
  let last = "";
  const name = `${steps} steps`;
  const samples = bench.alternate({
    "1000 steps": () => bench.run(small).ms / 1000,
    [name]: () => {
      const { ms, runDir, vmHwm } = bench.runMeasured(many, MEMORY);
      resident.push(vmHwm);
      last = runDir;
      return ms / steps;
    },
  });
  const rows = [...samples].map(
    ([of, values]): Row => ({
      name: of,
      samples: values,
      ...(of === name && { ratio: { must: 1.3, aim: 1 } }),
    }),
  );
  const tables: Table[] = [
    { title: `${part}: cost of a step`, unit: "ms per step, --durability power", base: "1000 steps", rows },
    {
      title: `${part}: highest resident memory of the engine`,
      unit: "MB",
      rows: [{ name, samples: resident, value: memory }],
    },
  ];
  return { tables, last };
}

/** Looking at a run of 10,000 steps that has ended. */
function finished(bench: Bench, runDir: string): Table {
  const samples = bench.alternate(
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
