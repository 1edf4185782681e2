import { WfError } from "../../core/problem.ts";
import type { ResumeRequest } from "../../engine/api.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell } from "../drive.ts";
import { findRunsDir } from "../find-run.ts";
import { runToDrive } from "../run-to-drive.ts";

export const command: Command = {
  usage: "resume RUN",
  describe: "Goes on with a run from what its folder says. What has finished is not run again.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    from: { kind: "value", value: "STEP", describe: "run this step and all after it again" },
    limit: {
      kind: "list",
      value: "K=V",
      describe: "raise a limit, such as max_total_iterations=200 or run_timeout=2h",
    },
    project: {
      kind: "value",
      value: "D",
      describe: "the project folder, where the recorded one is not there",
    },
    until: { kind: "value", value: "STEP", describe: "pause after this step (exit code 3)" },
    "max-parallel": { kind: "value", value: "N", describe: "at most so many steps at once" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf resume latest", "go on with the newest run"],
    ["wf resume k3f9 --from build", "do build and all after it again"],
    ["wf resume k3f9 --limit run_timeout=2h", "with more time"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const runDir = runToDrive(args.required("RUN"), runsDir);
    const request = requestFrom(args, runDir);
    const { resume } = await import("../../engine/resume.ts");
    const driving = { json: args.flag("json"), runsDir, runDir };
    return await driveAndTell(driving, (observer) => resume({ ...request, observer }));
  },
};

function requestFrom(args: Args, runDir: string): ResumeRequest {
  const from = args.text("from");
  const project = args.text("project");
  const until = args.text("until");
  const maxParallel = args.count("max-parallel");
  const limits = limitsFrom(args.list("limit"));
  return {
    runDir,
    ...(from !== undefined && { from }),
    ...(project !== undefined && { project }),
    ...(until !== undefined && { until }),
    ...(maxParallel !== undefined && { maxParallel }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
}

function limitsFrom(given: readonly string[]): Record<string, string> {
  const limits = new Map<string, string>();
  for (const text of given) {
    const match = /^([a-z_]+)=(.+)$/s.exec(text);
    if (!match) {
      throw new WfError({
        code: "USAGE",
        message: `--limit ${JSON.stringify(text)} is not of the form name=value`,
        hint: "such as max_total_iterations=200 or run_timeout=2h",
      });
    }
    const [, name, value] = match as unknown as [string, string, string];
    if (limits.has(name))
      throw new WfError({ code: "USAGE", message: `--limit ${name} is given more than once` });
    limits.set(name, value);
  }
  return Object.fromEntries(limits);
}
