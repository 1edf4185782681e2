import { realpathSync } from "node:fs";
import type { ReuseRequest } from "../engine/api.ts";
import type { Args, Option } from "./command.ts";
import { findRun, listRuns } from "./find-run.ts";
import { readHead } from "./run-head.ts";

export const REUSE_OPTION: Option = {
  kind: "value",
  value: "RUN",
  describe:
    "take finished attempts of steps with cache: true from this run, or from the latest of the workflow, where nothing they depend on has changed",
};

/** The value of `--reuse`. `but`: a run that can not reuse itself. Raises RUN_NOT_FOUND, RUN_AMBIGUOUS. */
export function givenReuse(args: Args, runsDir: string, but?: string): ReuseRequest | undefined {
  const name = args.text("reuse");
  if (name === undefined) return undefined;
  if (name !== "latest") return findRun(name, runsDir).path;
  return (workflowId) => newestOf(workflowId, runsDir).filter((path) => realpathSync(path) !== but);
}

/** The directories of a workflow's runs, the newest first. */
function newestOf(workflowId: string, runsDir: string): string[] {
  return listRuns(runsDir)
    .flatMap(({ path, id }) => {
      const head = readHead(path);
      if (typeof head !== "object" || head.legacy || head.workflowId !== workflowId) return [];
      return [{ path, id, at: head.createdAt ?? "" }];
    })
    .sort((a, b) => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1))
    .map(({ path }) => path);
}
