import { WfError } from "../../core/problem.ts";
import type { ForkRequest, GivenOutput } from "../../engine/api.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell } from "../drive.ts";
import { findRunsDir } from "../find-run.ts";
import { argumentInputs, fileInputs } from "../given-inputs.ts";
import { givenSecrets, SECRET_OPTION } from "../given-secrets.ts";
import { shellWord } from "../render/text.ts";
import { runToDrive } from "../run-to-drive.ts";

export const command: Command = {
  usage: "fork RUN@STEP",
  describe:
    "Makes a new run that shares what came before a step of another one, with changed inputs or artifacts, and goes on from there. The other run stays as it is.",
  positionals: {
    "RUN@STEP": `${RUN_POSITIONAL}; and the step at which the new one begins, or STEP/ATTEMPT`,
  },
  options: {
    input: {
      kind: "list",
      alias: "i",
      value: "K=V",
      describe: "an input that is another one from the step on; K=@file, K=@- for standard input",
    },
    "input-file": {
      kind: "value",
      value: "F",
      describe: "such inputs from a JSON or YAML file; --input goes before it",
    },
    set: {
      kind: "list",
      value: "[STEP.]OUTPUT=FILE",
      describe: "an output of a step before it, replaced by what is in FILE",
    },
    secret: SECRET_OPTION,
    "run-id": { kind: "value", value: "ID", describe: "the new run's id" },
    "runs-dir": RUNS_DIR_OPTION,
    project: {
      kind: "value",
      value: "D",
      describe: "the project folder, where the recorded one is not there",
    },
    "max-parallel": { kind: "value", value: "N", describe: "at most so many steps at once" },
    "keep-going": { kind: "flag", describe: "after a failure run what does not depend on it" },
    wait: { kind: "flag", describe: "stay at an approval, and until a client's limit ends" },
    until: { kind: "value", value: "STEP", describe: "pause after this step (exit code 3)" },
    durability: {
      kind: "value",
      value: "D",
      choices: ["power", "process"],
      describe: "what the new run survives (else as the other one)",
    },
    json: { ...JSON_OPTION, describe: "print JSON, described by `wf schema cli/run`" },
  },
  examples: [
    ["wf fork latest@publish --input channel=beta", "publish the same build elsewhere"],
    ["wf fork k3f9@review --set plan=better-plan.md", "have another plan reviewed"],
    ["wf fork k3f9@review --set draft.notes=notes.md", "of several outputs called notes, that of draft"],
    ["wf fork k3f9@review/1", "as it was before the first review"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { run, step, attempt } = placeFrom(args.required("RUN@STEP"));
    const runDir = runToDrive(
      run,
      runsDir,
      (around) => `wf fork ${shellWord(`${around.run}@${around.within.split("/", 1)}`)}`,
    );
    const request = await requestFrom(args, {
      runDir,
      step,
      ...(attempt !== undefined && { attempt }),
    });
    const { fork } = await import("../../engine/fork.ts");
    const driving = { json: args.flag("json"), runsDir, wait: args.flag("wait") };
    return await driveAndTell(driving, (observer) => fork({ ...request, observer }));
  },
};

/** `RUN@STEP`, `RUN@STEP/ATTEMPT`; a path may hold an `@` too. */
function placeFrom(text: string): { run: string; step: string; attempt: number | undefined } {
  const [, run, step, attempt] = /^(.+)@([^@/]+)(?:\/([1-9]\d{0,8}))?$/s.exec(text) ?? [];
  if (run === undefined || step === undefined) {
    const [, outer] = /^(.+@[^@/]+)\//s.exec(text) ?? [];
    if (outer !== undefined) {
      throw new WfError({
        code: "USAGE",
        message: "a fork begins before a step of the run itself, not at an item or inside of a nested run",
        hint: `wf fork ${outer}`,
      });
    }
    throw new WfError({
      code: "USAGE",
      message: `${JSON.stringify(text)} is not of the form RUN@STEP`,
      hint: "such as latest@publish, or latest@review/2: before the second attempt of review",
    });
  }
  return { run, step, attempt: attempt === undefined ? undefined : Number(attempt) };
}

async function requestFrom(
  args: Args,
  place: Pick<ForkRequest, "runDir" | "step" | "attempt">,
): Promise<ForkRequest> {
  const inputs = [...argumentInputs(args.list("input")), ...(await fileInputs(args.text("input-file")))];
  const runsDir = args.text("runs-dir");
  const runId = args.text("run-id");
  const project = args.text("project");
  const maxParallel = args.count("max-parallel");
  const until = args.text("until");
  const durability = args.text("durability");
  return {
    ...place,
    inputs,
    outputs: args.list("set").map(outputFrom),
    ...(runsDir !== undefined && { runsDir }),
    ...(runId !== undefined && { runId }),
    ...(project !== undefined && { project }),
    ...(maxParallel !== undefined && { maxParallel }),
    ...(until !== undefined && { until }),
    ...(args.flag("keep-going") && { keepGoing: true }),
    ...(args.flag("wait") && { wait: true }),
    ...givenSecrets(args),
    ...(durability !== undefined && { durability: durability as "power" | "process" }),
  };
}

function outputFrom(text: string): GivenOutput {
  const [, step, output, file] = /^(?:([^.=]+)\.)?([^.=]+)=(.+)$/s.exec(text) ?? [];
  if (output === undefined || file === undefined) {
    throw new WfError({
      code: "USAGE",
      message: `--set ${JSON.stringify(text)} is not of the form OUTPUT=FILE or STEP.OUTPUT=FILE`,
      hint: "such as plan=better-plan.md, or draft.plan=better-plan.md",
    });
  }
  return { output, file, ...(step !== undefined && { step }) };
}
