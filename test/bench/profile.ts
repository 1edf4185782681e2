import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Bench } from "./bench.ts";
import { fan, graph, sequence } from "./workloads/graphs.ts";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

/** Where the engine's own thread spends its time, by function; the functions have the names they have in `src/`. */
export function profile(bench: Bench): void {
  const shapes = { "chain of 200": sequence(200), "fan of 1000, two at once": graph(fan(1000)) };
  for (const [name, text] of Object.entries(shapes)) {
    const folder = bench.folder("profile");
    bench.run(bench.workflow("profiled", text), [], ["--cpu-prof", "--cpu-prof-dir", folder]);
    const [file] = readdirSync(folder);
    if (file === undefined) throw new Error(`no profile in ${folder}`);
    console.log(`\n${name}: time of the engine's thread by function, self (ms)   ${join(folder, file)}`);
    for (const [what, ms] of top(JSON.parse(readFileSync(join(folder, file), "utf8")) as Profile)) {
      console.log(`  ${ms.toFixed(1).padStart(8)}  ${what}`);
    }
  }
}

function top({ nodes, samples, timeDeltas }: Profile, count = 25): [string, number][] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === "" ? "" : `  ${url.startsWith("node:") ? url : basename(url)}:${lineNumber + 1}`;
      return [id, `${functionName || "(anonymous)"}${place}`];
    }),
  );
  const spent = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? "?";
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[i] ?? 0) / 1000);
  }
  return [...spent].sort(([, a], [, b]) => b - a).slice(0, count);
}
