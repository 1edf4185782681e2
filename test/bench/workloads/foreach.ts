import type { Bench } from "../bench.ts";
import type { Table } from "../report.ts";
import { fan, graph } from "./graphs.ts";

const ITEMS = 10_000;

/** One step for each of many items, next to as many steps that are written out. */
export function foreach(bench: Bench): Table[] {
  const steps = bench.workflow("written-out", graph(fan(1000)));
  const list = Array.from({ length: ITEMS }, (_, i) => `      - item ${i}\n`).join("");
  const items = bench.workflow(
    "foreach",
    `id: items\nlimits: { max_parallel: 2, max_total_iterations: ${ITEMS * 2} }\nsteps:\n  - id: each\n    run: 'true'\n    foreach:\n${list}`,
  );
  const base = "1000 steps written out";
  const name = `foreach over ${ITEMS} items`;
  const samples = bench.alternate({
    [base]: () => bench.run(steps).ms / 1000,
    [name]: () => bench.run(items).ms / ITEMS,
  });
  const rows = [...samples].map(([of, values]) => ({ name: of, samples: values }));
  return [{ title: "foreach: cost of an item", unit: "ms per item, --durability power", base, rows }];
}
