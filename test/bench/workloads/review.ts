import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import type { Row, Table } from "../report.ts";
import { fan, graph } from "./graphs.ts";

const MEMORY = fileURLToPath(new URL("../memory.cjs", import.meta.url));
const STEPS = 10_000;

/** What looks at a run that has ended: each command as a whole process, on a run of many steps. */
export function review(bench: Bench): Table[] {
  const { runDir } = bench.run(bench.workflow(`fan-${STEPS}`, graph(fan(STEPS))));
  const fixture = bench.folder("fixture");
  bench.wf(["fixture", "save", runDir, fixture]);
  const last = `s${STEPS - 1}`;
  const commands: Readonly<Record<string, () => readonly string[]>> = {
    status: () => [runDir],
    graph: () => [runDir],
    why: () => [runDir],
    "why of a step": () => [runDir, last],
    verify: () => [runDir],
    canon: () => [runDir],
    diff: () => [runDir, fixture],
    replay: () => [runDir],
    "fixture save": () => [runDir, bench.folder("saved")],
    "fixture check": () => [fixture],
    fork: () => [`${runDir}@${last}`, "--runs-dir", bench.folder("forks")],
    "prune --dry-run": () => ["--runs-dir", `${runDir}/..`, "--older-than", "0m"],
  };
  const resident = new Map<string, number[]>();
  const entries = Object.entries(commands).map(([name, args]) => {
    const words = name.replace(" of a step", "").split(" ");
    const measured = () => {
      const { ms, vmHwm } = bench.wfMeasured([...words, ...args()], MEMORY);
      resident.set(name, [...(resident.get(name) ?? []), vmHwm]);
      return ms / 1000;
    };
    return [`wf ${name}`, measured] as const;
  });
  const samples = bench.alternate(Object.fromEntries(entries));
  const seconds = { must: 2, aim: 1 };
  const rows = [...samples].map(([name, values]): Row => ({ name, samples: values, value: seconds }));
  const memory = { must: 300, aim: 200 };
  const memoryRows = [...resident].map(([name, values]): Row => {
    return { name: `wf ${name}`, samples: values, value: memory };
  });
  const title = `review: a run of ${STEPS} steps`;
  return [
    { title, unit: "s", rows },
    { title: `${title}, highest resident memory`, unit: "MB", rows: memoryRows },
  ];
}
