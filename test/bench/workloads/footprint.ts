import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import type { Table } from "../report.ts";
import { fan, graph } from "./graphs.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));
const STEPS = 1000;

/** What a run leaves on disk per attempt, and what an installation brings. */
export function footprint(bench: Bench): Table[] {
  const file = bench.workflow("footprint", graph(fan(STEPS)));
  const { runDir } = bench.run(file, ["--durability", "process"]);
  const steps = everything(join(runDir, "steps"));
  const attempt = everything(join(runDir, "steps/s0/attempt-1"));
  const sizes = steps.filter((path) => !/^std(out|err)\.log$/.test(basename(path))).map(sizeOf);
  const records = ["progress.ndjson", "run.json"].map((name) => sizeOf(join(runDir, name)));
  const bytes = [...sizes, ...records].reduce((sum, size) => sum + size, 0);
  const packages = production();
  const megabytes =
    packages.flatMap((path) => everything(path)).reduce((sum, path) => sum + sizeOf(path), 0) / 1e6;
  return [
    {
      title: "footprint: an attempt of a command without outputs",
      unit: "each",
      rows: [
        // The attempt's own folder counts; the step's is shared by its attempts.
        { name: "files and folders", samples: [attempt.length + 1], value: { must: 7, aim: 6 } },
        { name: "bytes, logs aside", samples: [bytes / STEPS], value: { must: 3072, aim: 2048 } },
        { name: "… of these the journal", samples: [(records[0] ?? 0) / STEPS] },
        { name: "… of these run.json", samples: [(records[1] ?? 0) / STEPS] },
      ],
    },
    {
      title: "footprint: production dependencies",
      unit: "whole tree",
      rows: [
        { name: "packages", samples: [packages.length], value: { must: 35, aim: 35 } },
        { name: "MB", samples: [megabytes], value: { must: 12, aim: 12 } },
      ],
    },
  ];
}

function everything(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
}

function sizeOf(path: string): number {
  const stat = statSync(path);
  return stat.isFile() ? stat.size : 0;
}

function production(): string[] {
  const lock = JSON.parse(readFileSync(join(PROJECT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== "" && !dev)
    .map(([path]) => join(PROJECT, path));
}
