import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ATTEMPT_FILES, attemptDir } from "../../src/store/layout.ts";
import type { Project, Result, WfOptions } from "../rig/project.ts";

/** Stand-ins for the clients. */
export const STAND_INS = fileURLToPath(new URL("../../fixtures/agents/bin", import.meta.url));

/** What a stand-in is to do; see its file. */
export type Plan = Readonly<Record<string, unknown>>;

/** Runs wf with the stand-ins in the place of the clients. */
export function withStandIns(
  project: Project,
  args: readonly string[],
  plans: Readonly<Record<string, Plan | readonly Plan[]>> = {},
  options: WfOptions = {},
): Promise<Result> {
  const env = {
    PATH: `${STAND_INS}:${process.env.PATH}`,
    STAND_IN_PLAN: project.write("stand-in-plan.json", JSON.stringify(plans)),
    STAND_IN_LOG: project.path("calls.ndjson"),
    ...options.env,
  };
  return project.wf(args, { ...options, env });
}

/**
 * All that is in an attempt's folder, by path: the text of a file, `-> target` of a link. `volatile` is left out, and
 * the places of the run and the project are named.
 */
export function attemptFolder(
  project: Project,
  runDir: string,
  step: string,
  attempt: number,
): Record<string, string> {
  const dir = attemptDir(runDir, { step, attempt });
  const found: Record<string, string> = {};
  for (const path of fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort()) {
    const stat = fs.lstatSync(join(dir, path));
    if (stat.isSymbolicLink()) found[path] = `-> ${fs.readlinkSync(join(dir, path))}`;
    else if (stat.isFile()) found[path] = plain(fs.readFileSync(join(dir, path), "utf8"), project, runDir);
    else if (fs.readdirSync(join(dir, path)).length === 0) found[`${path}/`] = "";
  }
  const record = found[ATTEMPT_FILES.agent];
  if (record !== undefined) found[ATTEMPT_FILES.agent] = record.replace(/,\n {2}"volatile": .*\n/, "\n");
  return found;
}

function plain(text: string, project: Project, runDir: string): string {
  return text.replaceAll(runDir, "<run>").replaceAll(project.dir, "<project>");
}
