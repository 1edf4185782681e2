import type { Problem } from "../core/problem.ts";
import { type GivenFile, loadWorkflow } from "../language/load.ts";
import { parseYaml } from "../language/parse.ts";
import { Problems } from "../language/report.ts";
import { decode } from "../language/source.ts";

/**
 * Checks every workflow of a file, not only the one that would run; problems in the order of the file, and then of the
 * files that it names.
 */
export function validateFile(file: GivenFile): { workflows: string[]; problems: Problem[] } {
  const ids = workbookIds(file);
  const workflows: string[] = [];
  const problems = new Map<string, Problem>();
  for (const id of ids.length > 0 ? ids : [undefined]) {
    const loaded = loadWorkflow(file, { id });
    if (loaded.ok) workflows.push(loaded.workflow.id);
    // What is wrong with the workbook itself is found anew with each of its workflows.
    else for (const problem of loaded.problems) problems.set(JSON.stringify(problem), problem);
  }
  const found = [...problems.values()];
  const files = [...new Set([file.path, ...found.map(({ position }) => position?.file)])];
  const place = ({ position }: Problem) =>
    [files.indexOf(position?.file), position?.line ?? 0, position?.column ?? 0] as const;
  found.sort((a, b) => {
    const [fileA, lineA, columnA] = place(a);
    const [fileB, lineB, columnB] = place(b);
    return fileA - fileB || lineA - lineB || columnA - columnB;
  });
  return { workflows, problems: found };
}

/** The ids of a workbook's workflows; none if it is no workbook or can not be understood that far. */
function workbookIds(file: GivenFile): string[] {
  if (!Buffer.from(file.bytes).includes("workflows")) return [];
  const decoded = decode(file.path, file.bytes);
  if (!decoded.ok) return [];
  const root = parseYaml(new Problems(decoded.source));
  const list = root?.kind === "map" ? root.entries.get("workflows")?.value : undefined;
  if (list?.kind !== "list") return [];
  const ids = list.items.flatMap((item) => {
    const id = item.kind === "map" ? item.entries.get("id")?.value : undefined;
    return id?.kind === "scalar" && typeof id.value === "string" ? [id.value] : [];
  });
  return [...new Set(ids)];
}
