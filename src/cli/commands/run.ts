import { dirname, join, resolve } from "node:path";
import { ExitCode } from "../../core/problem.ts";
import type { StartRequest } from "../../engine/api.ts";
import { findProject } from "../../system/project.ts";
import { ANSWERS_OPTION } from "../answers-option.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell } from "../drive.ts";
import { findRunsDir } from "../find-run.ts";
import { argumentInputs, fileInputs } from "../given-inputs.ts";
import { givenReuse, REUSE_OPTION } from "../given-reuse.ts";
import { givenSecrets, SECRET_OPTION } from "../given-secrets.ts";
import { print, printJson } from "../output.ts";
import { planText } from "../render/plan.ts";

export const command: Command = {
  usage: "run FILE [ID]",
  describe: "Runs a workflow to its end. The run is kept as a folder from which it can be read and resumed.",
  positionals: { FILE: "the workflow file", ID: "the workflow to run, of a file that holds several" },
  options: {
    input: {
      kind: "list",
      alias: "i",
      value: "K=V",
      describe: "an input; K=@file, K=@- for standard input, K=@@x for @x",
    },
    "input-file": {
      kind: "value",
      value: "F",
      describe: "inputs from a JSON or YAML file; --input goes before it",
    },
    secret: SECRET_OPTION,
    "run-id": {
      kind: "value",
      value: "ID",
      describe: "the run's id (else date, time, workflow and four letters)",
    },
    "runs-dir": RUNS_DIR_OPTION,
    "max-parallel": { kind: "value", value: "N", describe: "at most so many steps at once" },
    "keep-going": { kind: "flag", describe: "after a failure run what does not depend on it" },
    wait: {
      kind: "flag",
      describe: "stay at an approval, and until a client's limit ends, instead of leaving the run waiting",
    },
    until: { kind: "value", value: "STEP", describe: "pause after this step (exit code 3)" },
    durability: {
      kind: "value",
      value: "D",
      choices: ["power", "process"],
      describe:
        "what a run survives: a power cut (the default), or only the death of the process, which is faster",
    },
    reuse: REUSE_OPTION,
    answers: ANSWERS_OPTION,
    "dry-run": {
      kind: "flag",
      describe: "print what would run, in which order, with which values; write nothing",
    },
    json: JSON_OPTION,
  },
  examples: [
    ["wf run release.yaml --input version=1.4.0", "run it with one input"],
    ["wf run release.yaml --input notes=@CHANGES.md --dry-run", "what would run"],
    ["wf run release.yaml --wait --secret npm_token=@token.txt", "stay until a person has decided"],
    ["wf run build.yaml --reuse latest", "of steps with cache: true only those whose inputs have changed"],
    [
      "wf run release.yaml --answers fixtures/runs/release",
      "only what was changed since that fixture was saved, and what that changes",
    ],
    ["wf run flows.yaml nightly --until build", "one workflow of several, as far as build"],
  ],
  async run(args: Args): Promise<number> {
    const request = await requestFrom(args);
    if (args.flag("dry-run")) {
      const { plan } = await import("../../engine/plan.ts");
      const planned = await plan(request);
      if (args.flag("json")) printJson(planned);
      else print(planText(planned));
      return ExitCode.ok;
    }
    const { start } = await import("../../engine/start.ts");
    const driving = {
      file: request.file,
      json: args.flag("json"),
      runsDir: findRunsDir(args.text("runs-dir")),
      wait: args.flag("wait"),
    };
    return await driveAndTell(driving, (observer) => start({ ...request, observer }));
  },
};

async function requestFrom(args: Args): Promise<StartRequest> {
  const inputs = [...argumentInputs(args.list("input")), ...(await fileInputs(args.text("input-file")))];
  const runsDir = args.text("runs-dir");
  const workflowId = args.text("ID");
  const runId = args.text("run-id");
  const maxParallel = args.count("max-parallel");
  const until = args.text("until");
  const durability = args.text("durability");
  const reuse = givenReuse(args, runsDirOf(args));
  const answers = args.text("answers");
  return {
    file: args.required("FILE"),
    inputs,
    ...(workflowId !== undefined && { workflowId }),
    ...(runsDir !== undefined && { runsDir }),
    ...(runId !== undefined && { runId }),
    ...(maxParallel !== undefined && { maxParallel }),
    ...(until !== undefined && { until }),
    ...(args.flag("keep-going") && { keepGoing: true }),
    ...(reuse !== undefined && { reuse }),
    ...(answers !== undefined && { answers }),
    ...(args.flag("wait") && { wait: true }),
    ...givenSecrets(args),
    ...(durability !== undefined && { durability: durability as "power" | "process" }),
  };
}

/** Where the run will be kept: in the project of its file, wherever that lies. */
function runsDirOf(args: Args): string {
  const named = args.text("runs-dir");
  if (named || process.env.WF_RUNS_DIR) return findRunsDir(named);
  return findRunsDir(join(findProject(dirname(resolve(args.required("FILE")))), ".wf", "runs"));
}
