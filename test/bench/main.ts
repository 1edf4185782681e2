/**
 * `npm run bench`: what wf costs next to programs that do less, on this machine, now.
 *
 *     npm run bench -- [PART…] [--rounds N] [--against COMMIT] [--no-history] [--profile] [--remove]
 *
 * Without PARTs all are measured, in about ten minutes. What was measured is added to `history.ndjson` and held against
 * the last entry there that can be compared, or with `--against` against those of one commit. `--profile` shows where
 * the engine's time goes and measures nothing else, `--remove` deletes the benchmark's folder at the end. It stands
 * in $WF_BENCH_DIR, else in /var/tmp. A missed target changes the exit status of nothing: this is no test.
 */
import { rmSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Bench } from "./bench.ts";
import { append, before, circumstances, isQuiet, readHistory } from "./history.ts";
import { profile } from "./profile.ts";
import { figuresOf, type Missed, print, type Table } from "./report.ts";
import { footprint } from "./workloads/footprint.ts";
import { foreach } from "./workloads/foreach.ts";
import { growth, large } from "./workloads/growth.ts";
import { listing } from "./workloads/listing.ts";
import { output } from "./workloads/output.ts";
import { reuse } from "./workloads/reuse.ts";
import { review } from "./workloads/review.ts";
import { chainOf200, fanOf1000, layered, scientific } from "./workloads/shapes.ts";
import { start } from "./workloads/start.ts";

interface Part {
  readonly measure: (bench: Bench) => Table[];
  /** About how long it may take, in seconds: further rounds are then left out. */
  readonly seconds: number;
}

const PARTS: Readonly<Record<string, Part>> = {
  start: { measure: start, seconds: 20 },
  chain: { measure: chainOf200, seconds: 20 },
  fan: { measure: fanOf1000, seconds: 60 },
  layers: { measure: layered, seconds: 40 },
  science: { measure: scientific, seconds: 50 },
  foreach: { measure: foreach, seconds: 30 },
  reuse: { measure: reuse, seconds: 20 },
  listing: { measure: listing, seconds: 30 },
  output: { measure: output, seconds: 40 },
  footprint: { measure: footprint, seconds: 10 },
  growth: { measure: growth, seconds: 60 },
  review: { measure: review, seconds: 60 },
  large: { measure: large, seconds: 200 },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    against: { type: "string" },
    "no-history": { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    remove: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const names = positionals.length > 0 ? positionals : Object.keys(PARTS);
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0 || !(Number.isInteger(rounds) && rounds > 0)) {
  console.error(`parts: ${Object.keys(PARTS).join(", ")}; --rounds takes a whole number from 1`);
  process.exit(2);
}

const bench = new Bench({ rounds });
const now = circumstances(rounds, loadavg()[0] ?? 0);
const { machine, versions } = now;
const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
console.log(
  `${machine.system}, ${machine.cpus} × ${machine.cpu}, ${machine.memoryGb} GiB; ${programs.join(", ")}`,
);
console.log(`up to ${rounds} rounds, alternating; folder ${bench.root}`);
// What else runs takes from all alike, but not evenly: ratios are then too high or too low, and times mean nothing.
if (!isQuiet(now)) console.log(`the machine is not idle: its load is ${now.load}`);
if (values.profile) profile(bench);
else measureAll();
if (values.remove) rmSync(bench.root, { recursive: true, force: true });
else console.log(`\nleft behind: ${bench.root}`);

function measureAll(): void {
  const began = performance.now();
  const earlier = before(readHistory(), now, values.against);
  const missed: Missed[] = [];
  const figures: [string, number][] = [];
  for (const name of names) {
    const { measure, seconds } = PARTS[name] as Part;
    bench.begin(seconds);
    for (const table of measure(bench)) {
      missed.push(...print(table, earlier));
      figures.push(...figuresOf(table));
    }
  }
  console.log(missed.length === 0 ? "\nall targets reached" : "\nmissed:");
  for (const { what, must } of missed) console.log(`  ${must ? "must" : "aim "}  ${what}`);
  const commits = [...new Set([...earlier.values()].map(({ commit }) => commit))];
  if (commits.length > 0) console.log(`\nbefore: ${commits.join(", ")}`);
  if (!values["no-history"]) append({ ...now, figures: Object.fromEntries(figures) });
  console.log(`took ${Math.round((performance.now() - began) / 1000)} s`);
}
