import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bench } from "../bench.ts";
import type { Row, Table } from "../report.ts";

const MEMORY = fileURLToPath(new URL("../memory.cjs", import.meta.url));
const COMMAND = "head -c 1073741824 /dev/zero";

/** A step that prints 1 GiB, next to a shell that sends the same into a file. */
export function output(bench: Bench): Table[] {
  const file = bench.workflow("gib", `id: gib\nsteps:\n  - id: print\n    run: ${COMMAND}\n`);
  const quiet = bench.workflow("quiet", "id: quiet\nsteps:\n  - id: print\n    run: 'true'\n");
  const memory: Record<"loud" | "quiet", number[]> = { loud: [], quiet: [] };
  const samples = bench.alternate(
    {
      "sh, into a file": () => {
        const path = join(bench.folder("redirected"), "file");
        const { ms } = bench.time("sh", ["-c", `${COMMAND} > "${path}"`]);
        // One large file, not many small ones: the disk would be full of them.
        rmSync(path);
        return ms;
      },
      "wf run, one step": () => {
        const { ms, runDir, vmHwm } = bench.runMeasured(file, MEMORY);
        rmSync(join(runDir, "steps/print/attempt-1/stdout.log"));
        memory.loud.push(vmHwm);
        memory.quiet.push(bench.runMeasured(quiet, MEMORY).vmHwm);
        return ms;
      },
    },
    { warmUp: true },
  );
  const rows = [...samples].map(([name, values]): Row => {
    const ratio = name.startsWith("wf") ? { must: 1.1, aim: 1 } : undefined;
    return { name, samples: values, ...(ratio && { ratio }) };
  });
  return [
    { title: "output: a step that prints 1 GiB", unit: "ms", base: "sh, into a file", rows },
    {
      title: "output: highest resident memory of the engine",
      unit: "MB",
      base: "a step that prints nothing",
      rows: [
        { name: "a step that prints nothing", samples: memory.quiet },
        { name: "a step that prints 1 GiB", samples: memory.loud, ratio: { must: 1.1, aim: 1.05 } },
      ],
    },
  ];
}
