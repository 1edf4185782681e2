import { WfError } from "../../core/problem.ts";
import type { ResumeRequest } from "../../engine/api.ts";
import { ANSWERS_OPTION } from "../answers-option.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell } from "../drive.ts";
import { findRunsDir } from "../find-run.ts";
import { argumentInputs } from "../given-inputs.ts";
import { givenReuse, REUSE_OPTION } from "../given-reuse.ts";
import { givenSecrets, SECRET_OPTION } from "../given-secrets.ts";
import { shellWord } from "../render/text.ts";
import { runToDrive } from "../run-to-drive.ts";

export const command: Command = {
  usage: "resume [RUN]",
  describe: "Goes on with a run from what its folder says. What has finished is not run again.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    due: {
      kind: "flag",
      describe: "instead of RUN: all runs that wait for a client's limit to end, and whose time has come",
    },
    from: { kind: "value", value: "STEP", describe: "run this step and all after it again" },
    workflow: {
      kind: "value",
      value: "FILE",
      describe: "go on with a changed definition; steps that it does not concern keep their results",
    },
    input: {
      kind: "list",
      value: "K=V",
      describe: "go on with another value of an input; steps that do not use it keep their results",
    },
    limit: {
      kind: "list",
      value: "K=V",
      describe:
        "raise a limit: max_total_iterations=200, run_timeout=2h, max_tokens=500000, max_cost_usd=20, of one step STEP.max_tokens=… or STEP.max_cost_usd=…",
    },
    secret: SECRET_OPTION,
    project: {
      kind: "value",
      value: "D",
      describe: "the project folder, where the recorded one is not there",
    },
    until: { kind: "value", value: "STEP", describe: "pause after this step (exit code 3)" },
    wait: { kind: "flag", describe: "stay at an approval, and until a client's limit ends" },
    reuse: REUSE_OPTION,
    answers: ANSWERS_OPTION,
    "max-parallel": { kind: "value", value: "N", describe: "at most so many steps at once" },
    "runs-dir": RUNS_DIR_OPTION,
    json: { ...JSON_OPTION, describe: "print JSON, described by `wf schema cli/run`; with --due `cli/due`" },
  },
  examples: [
    ["wf resume latest", "go on with the newest run"],
    ["wf resume k3f9 --from build", "do build and all after it again"],
    ["wf resume k3f9 --workflow release.yaml", "with the file as it is now"],
    ["wf resume k3f9 --input version=1.4.1", "with another value of an input"],
    ["wf resume k3f9 --limit run_timeout=2h", "with more time"],
    ["wf resume k3f9 --limit plan.max_tokens=200000", "with more tokens for one step"],
    ["wf resume --due", "what cron runs: all runs that waited for a client's limit"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const json = args.flag("json");
    if (args.flag("due")) {
      refuseWithDue(args);
      const { resumeDue } = await import("../due.ts");
      return await resumeDue(runsDir, json, { ...parallel(args), ...(args.flag("wait") && { wait: true }) });
    }
    if (args.text("RUN") === undefined) {
      throw new WfError({
        code: "USAGE",
        message: "wf resume needs a RUN, or --due",
        hint: `usage: wf ${command.usage}`,
      });
    }
    const runDir = runToDrive(args.required("RUN"), runsDir, ({ run }) => `wf resume ${shellWord(run)}`);
    const request = requestFrom(args, runDir, runsDir);
    const { resume } = await import("../../engine/resume.ts");
    const driving = { json, runsDir, runDir, wait: args.flag("wait") };
    return await driveAndTell(driving, (observer) => resume({ ...request, observer }));
  },
};

/** What belongs to one run has no meaning for all that are due. */
function refuseWithDue(args: Args): void {
  const given = ["from", "workflow", "input", "limit", "secret", "project", "until", "reuse", "answers"].find(
    (name) => args.list(name).length > 0,
  );
  const what = args.text("RUN") === undefined ? given && `--${given}` : "a RUN";
  if (what === undefined) return;
  throw new WfError({
    code: "USAGE",
    message: `--due takes all runs whose time has come, and no ${what.replace("a RUN", "RUN")} beside it`,
    ...(given === "secret" && { hint: "their secrets come from WF_SECRET_<NAME>" }),
  });
}

function parallel(args: Args): { maxParallel?: number } {
  const maxParallel = args.count("max-parallel");
  return maxParallel === undefined ? {} : { maxParallel };
}

function requestFrom(args: Args, runDir: string, runsDir: string): ResumeRequest {
  const from = args.text("from");
  const project = args.text("project");
  const until = args.text("until");
  const workflow = args.text("workflow");
  const inputs = argumentInputs(args.list("input"));
  const limits = limitsFrom(args.list("limit"));
  const reuse = givenReuse(args, runsDir, runDir);
  const answers = args.text("answers");
  return {
    runDir,
    ...(from !== undefined && { from }),
    ...(project !== undefined && { project }),
    ...(until !== undefined && { until }),
    ...(workflow !== undefined && { workflow }),
    ...(inputs.length > 0 && { inputs }),
    ...(args.flag("wait") && { wait: true }),
    ...(reuse !== undefined && { reuse }),
    ...(answers !== undefined && { answers }),
    ...parallel(args),
    ...(Object.keys(limits).length > 0 && { limits }),
    ...givenSecrets(args),
  };
}

function limitsFrom(given: readonly string[]): Record<string, string> {
  const limits = new Map<string, string>();
  for (const text of given) {
    const match = /^([a-z0-9_.-]+)=(.+)$/s.exec(text);
    if (!match) {
      throw new WfError({
        code: "USAGE",
        message: `--limit ${JSON.stringify(text)} is not of the form name=value`,
        hint: "such as max_total_iterations=200, run_timeout=2h or plan.max_tokens=500000",
      });
    }
    const [, name, value] = match as unknown as [string, string, string];
    if (limits.has(name))
      throw new WfError({ code: "USAGE", message: `--limit ${name} is given more than once` });
    limits.set(name, value);
  }
  return Object.fromEntries(limits);
}
