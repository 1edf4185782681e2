import type { Problem } from "../core/problem.ts";
import { type GivenFile, loadWorkflow } from "../language/load.ts";
import { parseYaml } from "../language/parse.ts";
import { Problems } from "../language/report.ts";
import { decode } from "../language/source.ts";

/** Checks every workflow of a file, not only the one that would run; problems in the order of the file. */
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
  const line = ({ position }: Problem) => position?.line ?? 0;
  const column = ({ position }: Problem) => position?.column ?? 0;
  return {
    workflows,
    problems: [...problems.values()].sort((a, b) => line(a) - line(b) || column(a) - column(b)),
  };
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
