/**
 * `npm run bench`: what wf costs next to programs that do less, on this machine, now.
 *
 *     npm run bench -- [--only start,chain,fan,layers,growth,listing,output,footprint] [--rounds N] [--large]
 *                      [--profile] [--remove]
 *
 * `--large` adds 100,000 steps to `growth`, `--profile` shows where the engine's time goes and measures nothing
 * else, `--remove` deletes the benchmark's folder at the end. It stands in $WF_BENCH_DIR, else in /var/tmp. A missed
 * target changes the exit status of nothing: this is no test.
 */
import { rmSync } from "node:fs";
import { arch, cpus, loadavg, release, type } from "node:os";
import { parseArgs } from "node:util";
import { Bench } from "./bench.ts";
import { profile } from "./profile.ts";
import { type Missed, print, type Table } from "./report.ts";
import { footprint } from "./workloads/footprint.ts";
import { growth } from "./workloads/growth.ts";
import { listing } from "./workloads/listing.ts";
import { output } from "./workloads/output.ts";
import { chainOf200, fanOf1000, layered } from "./workloads/shapes.ts";
import { start } from "./workloads/start.ts";

const WORKLOADS: Readonly<Record<string, (bench: Bench) => Table[]>> = {
  start,
  chain: chainOf200,
  fan: fanOf1000,
  layers: layered,
  growth,
  listing,
  output,
  footprint,
};

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    large: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    remove: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const names = values.only?.split(",") ?? Object.keys(WORKLOADS);
const unknown = names.filter((name) => !Object.hasOwn(WORKLOADS, name));
if (unknown.length > 0 || !(Number.isInteger(rounds) && rounds > 0)) {
  console.error(`workloads: ${Object.keys(WORKLOADS).join(", ")}; --rounds takes a whole number from 1`);
  process.exit(2);
}

const bench = new Bench({ rounds, large: values.large });
console.log(
  `${type()} ${release()} ${arch()}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`,
);
const load = loadavg()[0] ?? 0;
console.log(`${rounds} rounds, alternating; folder ${bench.root}`);
// What else runs takes from all alike, but not evenly: ratios are then too high or too low, and times mean nothing.
if (load > 0.5) console.log(`the machine is not idle: its load is ${load.toFixed(1)}`);
if (values.profile) profile(bench);
else {
  const missed: Missed[] = [];
  for (const name of names) for (const table of WORKLOADS[name]?.(bench) ?? []) missed.push(...print(table));
  console.log(missed.length === 0 ? "\nall targets reached" : "\nmissed:");
  for (const { what, must } of missed) console.log(`  ${must ? "must" : "aim "}  ${what}`);
}
if (values.remove) rmSync(bench.root, { recursive: true, force: true });
else console.log(`\nleft behind: ${bench.root}`);
