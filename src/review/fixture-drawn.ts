import type { RunRecord, StepRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import type { Drawn } from "./picture.ts";
import { type Recorded, readLines } from "./replay-record.ts";

/** The run of a fixture, for the picture of its workflow. */
export function drawnIn({ files }: Pick<Recorded, "files">, workflow: Workflow, folder = ""): Drawn {
  const record = recordIn(files, folder);
  const nested = new Map<string, { item?: number; drawn: Drawn }>();
  for (const step of workflow.steps) {
    const found = step.type === "workflow" && nestedOf(files, folder, step.id, record?.steps[step.id]);
    if (step.type !== "workflow" || !found) continue;
    const drawn = drawnIn({ files }, step.definition.workflow, found.folder);
    nested.set(step.id, { ...(found.item !== undefined && { item: found.item }), drawn });
  }
  const isSequence = workflow.shape === "sequence";
  const lines = isSequence ? readLines(files.get(`${folder}${RUN_FILES.journal}`) ?? "", folder) : [];
  return {
    steps: record?.steps ?? {},
    interrupted: false,
    transitions: lines.filter((line) => line.event === "transition"),
    nested,
  };
}

interface Found {
  readonly folder: string;
  readonly item?: number;
}

/** The newest attempt's; with `foreach` that of an item that did not succeed, else of the first. */
function nestedOf(
  files: Recorded["files"],
  folder: string,
  step: string,
  record: StepRecord | undefined,
): Found | null {
  if (record === undefined || record.attempts === 0) return null;
  const items = record.items ? Array.from({ length: record.items.total }, (_, item) => item) : [undefined];
  const all = items.flatMap((item): Found[] => {
    for (let attempt = record.attempts; attempt > 0; attempt -= 1) {
      const inner = `${folder}${attemptPath({ step, item, attempt })}/${ATTEMPT_FILES.run}/`;
      if (files.has(`${inner}${RUN_FILES.snapshot}`))
        return [{ folder: inner, ...(item !== undefined && { item }) }];
    }
    return [];
  });
  return all.find((each) => recordIn(files, each.folder)?.status !== "succeeded") ?? all[0] ?? null;
}

function recordIn(files: Recorded["files"], folder: string): RunRecord | null {
  const text = files.get(`${folder}${RUN_FILES.snapshot}`);
  return text === undefined ? null : (JSON.parse(text) as RunRecord);
}
