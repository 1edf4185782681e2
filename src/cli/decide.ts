import type { Decision } from "../core/event.ts";
import { ExitCode, WfError } from "../core/problem.ts";
import type { ResumeRequest } from "../engine/api.ts";
import { liveness } from "../review/liveness.ts";
import { viewRun } from "../review/view.ts";
import { writeDecideRequest } from "../store/requests.ts";
import { chooseGate, refuseDecided } from "./choose-gate.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "./command.ts";
import { driveAndTell, exitCodeOf } from "./drive.ts";
import { findRunsDir, nameOf } from "./find-run.ts";
import { openGates } from "./gates.ts";
import { givenSecrets, requireSecrets, SECRET_OPTION } from "./given-secrets.ts";
import { print, printDiagnostic, printJson } from "./output.ts";
import { cookieOf } from "./own-run.ts";
import { type Decided, type DecideResult, decideJson, decideText, gateText } from "./render/decide.ts";
import { decideCommands, decidedText } from "./render/gate.ts";
import { type Ended, outcomeJson } from "./render/summary.ts";
import { waitUntilTaken } from "./request.ts";
import { runToDrive } from "./run-to-drive.ts";
import { whoAsks } from "./who.ts";

/** A live engine looks at once, and whatever it misses within a second. */
const TAKEN_WITHIN_MS = 3000;
/** Of a comment as JSON: with the rest it has to fit into a request. */
const MAX_COMMENT_BYTES = 60_000;

/** What `wf approve` and `wf reject` have in common. */
export const DECIDE: Pick<Command, "positionals" | "options"> = {
  positionals: {
    RUN: RUN_POSITIONAL,
    STEP: "the gate, such as sign_off or deploy/sign_off; may be left out if only one waits",
  },
  options: {
    comment: { kind: "value", value: "T", describe: "what the workflow is told; a rejection needs it" },
    resume: { kind: "flag", describe: "go on with the run at once, unless an engine drives it" },
    secret: { ...SECRET_OPTION, describe: `with --resume: ${SECRET_OPTION.describe}` },
    project: {
      kind: "value",
      value: "D",
      describe: "with --resume: the project folder, where the recorded one is not there",
    },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
};

/** Decides an open gate by a request in `control/`; resolves to the exit code. */
export async function decide(args: Args, decision: Decision): Promise<number> {
  const comment = commentIn(args, decision);
  const resuming = resumingIn(args);
  const runsDir = findRunsDir(args.text("runs-dir"));
  const runDir = runToDrive(args.required("RUN"), runsDir, ({ run, within }) => {
    const { approve, reject } = decideCommands(run, nameInside(within, args.text("STEP")));
    return decision === "approve" ? approve : reject;
  });
  const name = nameOf(runDir, runsDir);
  const view = await viewRun(runDir);
  if (view.kind === "legacy") throw new Error("it can be driven");
  const open = await chooseGate(view, args.text("STEP"), name);
  const { step, attempt } = open;
  const { digest, volatile } = open.gate;
  const request = { step, attempt, decision, comment, nonce: volatile.nonce, digest, by: whoAsks() };
  const cookie = cookieOf(view.record.runId);
  if (cookie !== null) {
    // The engine refuses it, and its journal tells of the attempt.
    writeDecideRequest(open.runDir, { ...request, cookie });
    throw ownGate(view.record.runId, open.name);
  }
  refuseDecided(open, name);
  if (resuming !== null && liveness(runDir).state === "nobody") await requireSecrets(view, resuming.secrets);
  const file = writeDecideRequest(open.runDir, request);
  const decided: Decided = { name, runDir, gate: open, request, file };
  const json = args.flag("json");
  if (!json) print(gateText(decided));
  const result = await carryOut(decided, { resuming, runsDir, json });
  if (typeof result === "number") return result;
  if (json) printJson(decideJson(decided, result, null));
  else print(decideText(decided, result));
  return result.kind === "refused" ? ExitCode.usage : ExitCode.ok;
}

function nameInside(within: string, step: string | undefined): string {
  return step === undefined ? within : `${within}/${step}`;
}

interface Carrying {
  /** How to go on with the run; null: not by this command. */
  readonly resuming: Omit<ResumeRequest, "runDir"> | null;
  readonly runsDir: string;
  readonly json: boolean;
}

/** What became of the request, or the exit code of the resume that took it. */
async function carryOut(decided: Decided, carrying: Carrying): Promise<DecideResult | number> {
  const { runDir, file } = decided;
  for (let tries = 0; ; tries += 1) {
    const driver = liveness(runDir);
    if (driver.state !== "nobody") {
      const answer = await waitUntilTaken(runDir, file, driver, TAKEN_WITHIN_MS, decided.gate.runDir);
      if (answer !== null) return answer;
    }
    if (carrying.resuming === null) return await leaveToResume(decided);
    try {
      return await resumeWith(decided, carrying.resuming, carrying);
    } catch (error) {
      // Between the look and the claim somebody else began to drive it.
      const raced = error instanceof WfError && error.code === "RUN_LOCKED" && tries < 3;
      if (!raced) throw error;
    }
  }
}

/** Nobody drives the run. Whoever wrote first of two who decided at once has the lower number, and is taken. */
async function leaveToResume({ runDir, gate, file }: Decided): Promise<DecideResult> {
  const view = await viewRun(runDir);
  const open = view.kind === "legacy" ? [] : await openGates(view);
  const first = open.find(({ name, attempt }) => name === gate.name && attempt === gate.attempt)?.decided;
  if (!first || first.file === file) return { kind: "later" };
  return { kind: "refused", because: `somebody was faster: ${decidedText(first)}` };
}

async function resumeWith(
  decided: Decided,
  resuming: Omit<ResumeRequest, "runDir">,
  { runsDir, json }: Carrying,
): Promise<number> {
  const { runDir, gate, file } = decided;
  const { resume } = await import("../engine/resume.ts");
  let refused: string | null = null;
  const driving = {
    json,
    runsDir,
    runDir,
    exitCode: (outcome: Parameters<typeof exitCodeOf>[0]) =>
      refused === null ? exitCodeOf(outcome) : ExitCode.usage,
    toJson: (ended: Ended) =>
      decideJson(
        decided,
        refused === null ? { kind: "resumed" } : { kind: "refused", because: refused },
        outcomeJson(ended, exitCodeOf(ended.outcome)),
      ),
  };
  const exitCode = await driveAndTell(driving, (observer) =>
    resume({
      ...resuming,
      runDir,
      observer: {
        ...observer,
        event(line, state, within) {
          const isIt = (within?.runDir ?? runDir) === gate.runDir;
          if (isIt && line.event === "request_refused" && line.file === file) refused = line.because;
          observer.event?.(line, state, within);
        },
      },
    }),
  );
  if (refused !== null && !json) printDiagnostic(decideText(decided, { kind: "refused", because: refused }));
  return exitCode;
}

function commentIn(args: Args, decision: Decision): string {
  const comment = args.text("comment") ?? "";
  if (decision === "reject" && comment.trim() === "") {
    throw new WfError({
      code: "USAGE",
      message: "a rejection needs a comment: what has to change",
      hint: "wf reject RUN [STEP] --comment '…'",
    });
  }
  if (Buffer.byteLength(JSON.stringify(comment)) > MAX_COMMENT_BYTES) {
    throw new WfError({ code: "USAGE", message: `the comment is longer than ${MAX_COMMENT_BYTES} bytes` });
  }
  return comment;
}

/** Null without `--resume`. Raises USAGE for what makes sense with it only. */
function resumingIn(args: Args): Carrying["resuming"] {
  const project = args.text("project");
  if (args.flag("resume")) return { ...(project !== undefined && { project }), ...givenSecrets(args) };
  const alone = ["secret", "project"].find((name) => args.list(name).length > 0);
  if (alone !== undefined)
    throw new WfError({ code: "USAGE", message: `--${alone} is of use with --resume only` });
  return null;
}

function ownGate(runId: string, name: string): WfError {
  return new WfError({
    code: "OWN_GATE",
    message: `this is a process of a step of run ${runId}: it can not decide ${name}`,
    hint: "a person decides it from another shell; the journal tells of this attempt",
  });
}
