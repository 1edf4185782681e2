import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Bench, installed } from "../bench.ts";
import type { Table } from "../report.ts";

const STEPS = 1000;
const TITLE = `reuse: all of ${STEPS} steps done already`;

/** A second run of steps that have nothing to do, next to programs that look at the times of files. */
export function reuse(bench: Bench): Table[] {
  if (!bench.wf(["run", "--help"]).stdout.includes("--reuse")) {
    return [{ title: TITLE, unit: "ms", rows: [], notes: ["left out: this wf does not know --reuse"] }];
  }
  const ids = Array.from({ length: STEPS }, (_, i) => `s${i}`);
  const limits = `{ max_parallel: 2, max_total_iterations: ${STEPS * 2} }`;
  const list = ids.map((id) => `  - { id: ${id}, needs: [], run: 'true', cache: true }\n`);
  const file = bench.workflow("reuse", `id: reuse\nlimits: ${limits}\nsteps:\n${list.join("")}`);
  const folder = dirname(file);
  const runs = bench.folder("runs");
  const args = ["run", file, "--runs-dir", runs, "--reuse", "latest"];
  writeFileSync(
    join(folder, "Makefile"),
    `all: ${ids.join(" ")}\n${ids.map((id) => `${id}:\n\t@:>$@\n`).join("")}`,
  );
  writeFileSync(
    join(folder, "build.ninja"),
    `rule t\n  command = : > $out\n${ids.map((id) => `build n-${id}: t\n`).join("")}`,
  );
  const entries = {
    ...(installed("make") && { make: () => bench.time("make", ["-s"], folder).ms }),
    ...(installed("ninja") && { ninja: () => bench.time("ninja", ["--quiet"], folder).ms }),
    "wf run --reuse latest": () => bench.wf(args).ms,
  };
  bench.wf(["run", file, "--runs-dir", runs]);
  const samples = bench.alternate(entries, { warmUp: true });
  const rows = [...samples].map(([name, values]) => ({ name, samples: values }));
  return [{ title: TITLE, unit: "ms", ...(samples.has("make") && { base: "make" }), rows }];
}
