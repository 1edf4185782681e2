import { ExitCode, WfError } from "../../core/problem.ts";
import { removeLeftOvers } from "../../store/left-over.ts";
import { removeRun } from "../../store/remove-run.ts";
import { VERSION } from "../../system/version.ts";
import { formatAge, parseAge } from "../age.ts";
import { ask, canAsk } from "../ask.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { displayPath, findRunsDir, nameOf, realOrSame } from "../find-run.ts";
import { print, printDiagnostic, printJson } from "../output.ts";
import { planOfNamed } from "../prune-named.ts";
import { type Criteria, type Proposed, type PrunePlan, planByCriteria } from "../prune-plan.ts";
import { doneText, type Outcome, planText, pruneJson, question } from "../render/prune.ts";

const DAYS = 30;
const STATUSES = ["succeeded", "failed", "canceled"];
/** Of those that choose among all runs. */
const CRITERIA = ["older-than", "keep", "status", "workflow"];

export const command: Command = {
  usage: "prune [RUN…]",
  describe: `Removes runs that are not needed any more: those that are named, else those that have succeeded and ended more than ${DAYS} days ago, but for the newest of each workflow. Says of each what it is still needed for and what is lost with it, and asks.`,
  positionals: {
    RUN: "runs in the runs folder: their ids, unique parts of them, or `latest`; else those that the options choose",
  },
  options: {
    "older-than": {
      kind: "value",
      value: "AGE",
      describe: `only runs that ended longer ago, such as 7d or 12h (else ${DAYS}d, unless --keep is given)`,
    },
    keep: {
      kind: "value",
      value: "N",
      describe: "so many of the newest of each workflow stay (else 1, unless --older-than is given)",
    },
    status: {
      kind: "list",
      value: "S",
      choices: STATUSES,
      describe: "runs of this status; may be repeated (else succeeded)",
    },
    workflow: { kind: "value", value: "ID", describe: "only runs of this workflow" },
    "dry-run": { kind: "flag", describe: "only say what would go" },
    yes: { kind: "flag", alias: "y", describe: "do not ask; needed where there is no terminal" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf prune", "look, be asked, remove"],
    ["wf prune --dry-run --older-than 7d --status succeeded --status failed", "only look"],
    ["wf prune --keep 5 --yes", "for a cron job: the newest five of each workflow stay"],
    ["wf prune k3f9", "one run, whatever its status"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = realOrSame(findRunsDir(args.text("runs-dir")));
    const names = args.list("RUN");
    const criteria = criteriaOf(args);
    if (names.length > 0) refuseBoth(args);
    const plan = names.length > 0 ? planOfNamed(names, runsDir) : planByCriteria(runsDir, criteria);
    const json = args.flag("json");
    const isEmpty = plan.proposed.length === 0 && plan.leftOvers.length === 0;
    if (args.flag("dry-run") || isEmpty) {
      if (json) printJson(pruneJson(plan, runsDir, args.flag("dry-run") ? null : new Map()));
      else print(planText(plan, displayPath(runsDir)));
      return ExitCode.ok;
    }
    if (!json) print(planText(plan, displayPath(runsDir)));
    if (!args.flag("yes")) {
      if (json || !canAsk()) throw nobodyToAsk();
      if (!(await ask(question(plan)))) {
        print("nothing was removed");
        return ExitCode.ok;
      }
    }
    const { outcomes, exitCode } = await removeAll(plan, runsDir);
    if (json) printJson(pruneJson(plan, runsDir, outcomes));
    else print(doneText(plan, outcomes));
    return exitCode;
  },
};

/** Raises USAGE. */
function criteriaOf(args: Args): Criteria {
  const [age, keep] = [args.text("older-than"), args.count("keep")];
  const ms = age === undefined ? null : parseAge(age);
  if (age !== undefined && ms === null) {
    throw new WfError({
      code: "USAGE",
      message: `--older-than must be an age, not ${JSON.stringify(age)}`,
      hint: "such as 30d, 2w, 12h or 1h30m",
    });
  }
  const isPlain = age === undefined && keep === undefined;
  const before = isPlain ? (parseAge(`${DAYS}d`) as number) : ms;
  const statuses = args.list("status");
  return {
    statuses: statuses.length === 0 ? ["succeeded"] : statuses,
    workflow: args.text("workflow") ?? null,
    before: before === null ? null : new Date(Date.now() - before),
    keep: isPlain ? 1 : (keep ?? 0),
  };
}

function refuseBoth(args: Args): void {
  const given = CRITERIA.find((name) => args.list(name).length > 0);
  if (given === undefined) return;
  throw new WfError({
    code: "USAGE",
    message: `--${given} chooses among all runs, and some are named`,
    hint: `leave out either; named runs go whatever their age and status`,
  });
}

function nobodyToAsk(): WfError {
  return new WfError({
    code: "USAGE",
    message:
      "wf prune asks before it removes anything, and there is no terminal to ask on: nothing was removed",
    hint: "--yes removes without asking, --dry-run only looks",
  });
}

interface Done {
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly exitCode: number;
}

/** One after the other; what can not be removed keeps no other from it. */
async function removeAll({ proposed, leftOvers }: PrunePlan, runsDir: string): Promise<Done> {
  const outcomes = new Map<string, Outcome>();
  let exitCode: number = ExitCode.ok;
  const note = (key: string, outcome: Outcome, code: number) => {
    outcomes.set(key, outcome);
    if (outcome.problem === null) return;
    printDiagnostic(outcome.problem);
    if (exitCode === ExitCode.ok) exitCode = code;
  };
  for (const each of proposed) {
    const { outcome, code } = await removeOne(each, runsDir);
    note(each.run.path, outcome, code);
  }
  if (leftOvers.length === 0) return { outcomes, exitCode };
  for (const { name, problem } of removeLeftOvers(runsDir)) {
    note(name, { removed: problem === null, problem }, ExitCode.internal);
  }
  return { outcomes, exitCode };
}

async function removeOne(
  { run, stamp }: Proposed,
  runsDir: string,
): Promise<{ readonly outcome: Outcome; readonly code: number }> {
  const name = nameOf(run.path, runsDir);
  const stays = (problem: string, code: number) => ({ outcome: { removed: false, problem }, code });
  try {
    const removal = await removeRun(run.path, stamp, {
      version: VERSION,
      onWaiting: ({ host }, ms) =>
        printDiagnostic(`${name} was driven on ${host}: looking for a sign of life for ${formatAge(ms)}`),
    });
    switch (removal.kind) {
      case "removed":
      case "gone":
        return { outcome: { removed: true, problem: null }, code: ExitCode.ok };
      case "changed":
        return stays(`${name} stays: it has been gone on with since it was looked at`, ExitCode.failed);
      case "rest":
        return {
          outcome: { removed: true, problem: `${name} is no run any more, but ${removal.problem}` },
          code: ExitCode.internal,
        };
      default:
        return removal satisfies never;
    }
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    return stays(`${name} stays: ${error.message}`, error.exitCode);
  }
}
