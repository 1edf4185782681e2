import { WfError } from "../core/problem.ts";
import type { ResumeRequest } from "../engine/api.ts";
import { resume } from "../engine/resume.ts";
import { driveAndTell } from "./drive.ts";
import { listRuns, nameOf, type RunPlace } from "./find-run.ts";
import { print, printJson } from "./output.ts";
import { errorJson, reportError } from "./render/error.ts";
import { count, localTime } from "./render/text.ts";
import { readHead } from "./run-head.ts";

interface Resumed {
  readonly run: string;
  readonly runDir: string;
  readonly exitCode: number;
  /** What `wf resume RUN --json` prints; null if it could not be resumed. */
  readonly outcome: object | null;
  readonly error: object | null;
}

/**
 * Goes on with every run of the folder that waits for a client's limit to end and whose time has come, one after the
 * other. A run that can not be resumed keeps none of the others from it. Resolves to the worst exit code.
 */
export async function resumeDue(
  runsDir: string,
  json: boolean,
  options: Pick<ResumeRequest, "wait" | "maxParallel">,
): Promise<number> {
  const now = Date.now();
  const parked = listRuns(runsDir)
    .flatMap(parkedUntil)
    .sort((a, b) => a.until - b.until);
  const due = parked.filter(({ until }) => until <= now);
  if (!json) print(overview(due.length, parked.find(({ until }) => until > now)?.until));
  const resumed: Resumed[] = [];
  for (const { path } of due) {
    const run = nameOf(path, runsDir);
    if (!json) print(`\nwf resume ${run}`);
    const result = await resumeOne(path, runsDir, json, options);
    resumed.push({ run, runDir: path, ...result });
    if (result.exitCode > FIRST_SIGNAL) break;
  }
  const exitCode = resumed.reduce((worst, each) => worse(worst, each.exitCode), 0);
  if (json) printJson({ runsDir, resumed, exitCode });
  return exitCode;
}

function parkedUntil({ path }: RunPlace): { path: string; until: number }[] {
  const head = readHead(path);
  if (typeof head !== "object" || head.status !== "waiting" || head.reason?.code !== "RATE_LIMIT") return [];
  const until = Date.parse(head.waitingUntil ?? "");
  return Number.isNaN(until) ? [] : [{ path, until }];
}

async function resumeOne(
  runDir: string,
  runsDir: string,
  json: boolean,
  options: Pick<ResumeRequest, "wait" | "maxParallel">,
): Promise<Omit<Resumed, "run" | "runDir">> {
  let outcome: object | null = null;
  const driving = {
    json,
    runsDir,
    runDir,
    ...(options.wait && { wait: true }),
    tell: (document: object) => {
      outcome = document;
    },
  };
  try {
    const exitCode = await driveAndTell(driving, (observer) => resume({ ...options, runDir, observer }));
    return { exitCode, outcome, error: null };
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    const exitCode = json ? error.exitCode : reportError(error, { json });
    return { exitCode, outcome: null, error: errorJson(error) };
  }
}

function overview(due: number, next: number | undefined): string {
  const later = next === undefined ? "" : `; the next is due at ${localTime(new Date(next).toISOString())}`;
  if (due === 0) return `no run is due${later}`;
  return `${count(due, "run")} ${due === 1 ? "is" : "are"} due${later}`;
}

/** From here on exit codes tell of a signal. */
const FIRST_SIGNAL = 128;

/** From the best to the worst: done, it waits, another engine has it, it failed, it could not be resumed. */
const ORDER = [0, 3, 4, 1, 2, 5, 6];

function worse(a: number, b: number): number {
  const rank = (code: number) => (ORDER.includes(code) ? ORDER.indexOf(code) : code);
  return rank(b) > rank(a) ? b : a;
}
