import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bench, installed } from "../bench.ts";
import { median, type Row, type Table, type Target } from "../report.ts";
import { chain, fan, graph, layers, makefile, ninjaFile, type Shape, sequence } from "./graphs.ts";
import { blast, epigenomics, genomes, montage } from "./science.ts";

const FLOOR = fileURLToPath(new URL("../floor.mjs", import.meta.url));

/** So that the first graphs leave time to the others. */
const SECONDS_EACH = 12;

export const chainOf200 = (bench: Bench) =>
  compare(bench, chain(200), { power: { must: 4, aim: 2.5 } }, sequence(200));

export const fanOf1000 = (bench: Bench) =>
  compare(bench, fan(1000), { power: { must: 6, aim: 3 }, process: { must: 4.5, aim: 2.2 } });

export const layered = (bench: Bench) => compare(bench, layers(20, 50), { power: { must: 6, aim: 3 } });

export function scientific(bench: Bench): Table[] {
  return [epigenomics(), blast(), genomes(), montage()].flatMap((shape) => {
    bench.begin(SECONDS_EACH);
    return compare(bench, shape, { power: { must: 6, aim: 3 } }, graph(shape), ["power"]);
  });
}

function compare(
  bench: Bench,
  shape: Shape,
  targets: { readonly power?: Target; readonly process?: Target },
  workflow = graph(shape),
  durabilities: readonly ("power" | "process")[] = ["process", "power"],
): Table[] {
  const steps = shape.needs.length;
  const file = bench.workflow("shape", workflow);
  const folder = dirname(file);
  writeFileSync(join(folder, "Makefile"), makefile(shape));
  writeFileSync(join(folder, "build.ninja"), ninjaFile(shape));
  writeFileSync(join(folder, "commands"), "true\n".repeat(steps));
  const jobs = `-j${shape.atOnce}`;
  const plain = shape.needs.every((of) => of.length === 0) || shape.atOnce === 1;
  const all: Record<string, () => number> = {
    ...(installed("make") && { make: () => bench.time("make", ["-s", jobs], folder).ms }),
    // A fresh folder, since it leaves a log of what it did.
    ...(installed("ninja") && {
      ninja: () => {
        const fresh = bench.folder("ninja");
        writeFileSync(join(fresh, "build.ninja"), ninjaFile(shape));
        return bench.time("ninja", ["--quiet", jobs], fresh).ms;
      },
    }),
    ...(plain && { "floor: Node spawns": () => bench.node([FLOOR, String(steps), String(shape.atOnce)]).ms }),
    ...(plain &&
      installed("parallel") && {
        "parallel --results": () => {
          const results = join(bench.folder("parallel"), "results");
          const args = ["--will-cite", jobs, "--results", results, "-a", join(folder, "commands")];
          return bench.time("parallel", args).ms;
        },
      }),
    ...Object.fromEntries(
      durabilities.map((each) => [`wf, ${each}`, () => bench.run(file, ["--durability", each]).ms]),
    ),
  };
  const samples = bench.alternate(all);
  const of = (name: string): Target | undefined =>
    name === "wf, power" ? targets.power : name === "wf, process" ? targets.process : undefined;
  const rows = [...samples].map(([name, values]): Row => {
    const ratio = samples.has("make") ? of(name) : undefined;
    return { name, samples: values.map((ms) => ms / steps), ...(ratio && { ratio }) };
  });
  const notes = plain ? againstRecorders(samples) : [];
  return [
    { title: shape.name, unit: "ms per step", ...(samples.has("make") && { base: "make" }), rows, notes },
  ];
}

/** `parallel --results` keeps a record of each step, as wf does. */
function againstRecorders(samples: ReadonlyMap<string, readonly number[]>): string[] {
  const peer = samples.get("parallel --results");
  if (peer === undefined) return ["GNU parallel is not installed"];
  const ahead = median(samples.get("wf, power") ?? []) < median(peer);
  return [ahead ? "ahead of the peer that keeps a record" : "BEHIND THE PEER THAT KEEPS A RECORD"];
}
