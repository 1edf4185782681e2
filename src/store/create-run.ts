import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { JournalLine, RunEvent, RunOptions } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import { ownIdentity } from "../system/identity.ts";
import { type Content, syncDir, writeNew } from "./atomic-file.ts";
import { Claim } from "./claim.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { journalLine } from "./journal.ts";
import { CREATING_PREFIX, LOCK_FILES, RUN_FILES } from "./layout.ts";
import { newOwner } from "./owner.ts";
import { formatRecord } from "./record-text.ts";
import { prepareRunsDir } from "./runs-dir.ts";

const TAKEN = new Set(["EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR"]);

export interface RunBuild {
  /** Absent: the name of its folder. */
  readonly runId?: string;
  /** The bytes of the workflow file. */
  readonly definition: Uint8Array;
  /** `run_created`, and what else is known before the directory exists. */
  readonly firstLines: readonly RunEvent[];
  /** Lines of another run that stand right after `run_created`; their `seq` and `run` become those of this one. */
  readonly history?: readonly JournalLine[];
  /** The text of `run.json` as of those lines, which take up `journalBytes`. */
  snapshot(lines: readonly JournalLine[], journalBytes: number): Content;
  /** Copies of files the definition refers to, by their path in the run directory. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Puts into the folder that is being built what comes from elsewhere; what it makes is durable when it returns. */
  fill?(folder: string): void;
  readonly durability: RunOptions["durability"];
  readonly at: Date;
  /** Of the program. */
  readonly version: string;
}

export interface CreatedRun {
  readonly runDir: string;
  /** This process's: epoch 1, or the one after those of the history. */
  readonly claim: Claim;
  readonly lines: readonly JournalLine[];
  /** Of the last line. */
  readonly seq: number;
  /** Bytes of the journal. */
  readonly length: number;
}

/**
 * Creates a run directory, which exists whole or not at all: it is built beside, made durable, and gets its name in
 * one step. `folder`: its name in `runsDir`. Raises RUN_EXISTS, and IO_ERROR; then nothing is left behind, or, if only the name could not be made
 * durable, a whole run that can be resumed.
 */
export function createRun(runsDir: string, folder: string, build: RunBuild): CreatedRun {
  const sync = build.durability === "power";
  const { runId = folder } = build;
  const runDir = join(resolve(runsDir), folder);
  prepareRunsDir(runsDir, { sync });
  const { pid, startTime } = ownIdentity();
  const creating = join(
    dirname(runDir),
    `${CREATING_PREFIX}${folder}-${pid}-${startTime.replace(/[^A-Za-z0-9]+/g, "-")}`,
  );
  let made = false;
  try {
    const epoch = (build.history?.at(-1)?.epoch ?? 0) + 1;
    const owner = newOwner(epoch, build.version);
    const lines = linesOf(build, runId, epoch);
    const journal = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const files: Record<string, Content> = {
      // First, since it tells whether the maker of a folder that was left behind is dead.
      [`${RUN_FILES.lock}/${LOCK_FILES.owner(epoch)}`]: formatRecord(owner),
      [RUN_FILES.definition]: build.definition,
      ...build.files,
      [RUN_FILES.journal]: journal,
      [RUN_FILES.snapshot]: build.snapshot(lines, journal.length),
    };
    fs.mkdirSync(creating);
    made = true;
    writeTree(creating, files, [RUN_FILES.control, RUN_FILES.steps], sync);
    build.fill?.(creating);
    giveName(creating, runDir);
    if (sync) syncDir(dirname(runDir));
    return { runDir, claim: new Claim(runDir, owner), lines, seq: lines.length, length: journal.length };
  } catch (error) {
    if (made) discard(creating);
    throw ioError(error, `create the run ${runDir}`);
  }
}

function linesOf({ firstLines, history = [], at }: RunBuild, run: string, epoch: number): JournalLine[] {
  const [created, ...rest] = firstLines;
  const line = (event: RunEvent, epoch: number) =>
    journalLine(event, { seq: 0, at: at.toISOString(), epoch, run });
  const lines = [
    // An epoch never falls: before those of the history there is but the first.
    ...(created ? [line(created, history.length > 0 ? 1 : epoch)] : []),
    ...history.map((each) => ({ ...each, run })),
    ...rest.map((event) => line(event, epoch)),
  ];
  return lines.map((each, index) => ({ ...each, seq: index + 1 }));
}

/** Files by their path below `root`, which exists, and folders; durable if asked for. */
export function writeTree(
  root: string,
  files: Readonly<Record<string, Content>>,
  emptyFolders: readonly string[],
  sync: boolean,
): void {
  const folders = new Set([root]);
  const makeFolder = (path: string) => {
    if (folders.has(path)) return;
    makeFolder(dirname(path));
    fs.mkdirSync(path);
    folders.add(path);
  };
  for (const [path, content] of Object.entries(files)) {
    makeFolder(dirname(join(root, path)));
    writeNew(join(root, path), content, sync);
  }
  // After the files: a folder that is missing after a power cut does no harm.
  for (const path of emptyFolders) fs.mkdirSync(join(root, path), { recursive: true });
  if (sync) for (const folder of [...folders].reverse()) syncDir(folder);
}

/** Never replaces anything: `rename` itself refuses all but an empty folder, which the look before catches. */
function giveName(creating: string, runDir: string): void {
  try {
    if (fs.lstatSync(runDir, { throwIfNoEntry: false })) throw runExists(runDir);
    fs.renameSync(creating, runDir);
  } catch (error) {
    if (TAKEN.has(errnoOf(error))) throw runExists(runDir);
    throw error;
  }
}

function runExists(runDir: string): WfError {
  return new WfError({
    code: "RUN_EXISTS",
    message: `${runDir} exists`,
    hint: "choose another --run-id, or continue that run with wf resume",
  });
}

/** Hides no error with a second one: what stays is cleared later, as that of a dead process. */
function discard(creating: string): void {
  try {
    fs.rmSync(creating, { recursive: true, force: true });
  } catch {}
}
