import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { WfError } from "../core/problem.ts";
import { canonicalForm } from "../review/canon.ts";
import type { CanonForm } from "../review/canon-form.ts";
import { findInGit, type GitObject, isRevision, writeFromGit } from "../system/git-object.ts";
import { inTempFolder } from "../system/temp-folder.ts";
import { displayPath, findRecord } from "./find-run.ts";

/** One of two that are compared. */
export interface DiffSide {
  readonly name: string;
  form(): Promise<CanonForm>;
}

interface Given {
  readonly a: string;
  readonly b: string | undefined;
  /** With it `a` and `b` are revisions of it. */
  readonly path: string | undefined;
}

/**
 * What `wf diff` is to compare: runs, fixtures, `REV:PATH`; a revision and what it is compared with; a path, as it was
 * committed and as it is. Raises RUN_NOT_FOUND, RUN_AMBIGUOUS, USAGE.
 */
export async function diffSides(
  { a, b, path }: Given,
  runsDir: string,
): Promise<readonly [DiffSide, DiffSide]> {
  if (path !== undefined && b !== undefined) return [await committed(a, path), await committed(b, path)];
  if (b === undefined) {
    if (!existsSync(a)) throw twoAreNeeded(a);
    return [await committed("HEAD", a), inPlace(a, runsDir)];
  }
  if (existsSync(b) && (await isRevisionOf(a, b, runsDir)))
    return [await committed(a, b), inPlace(b, runsDir)];
  return [await side(a, runsDir), await side(b, runsDir)];
}

function twoAreNeeded(a: string): WfError {
  return new WfError({
    code: "USAGE",
    message: `wf diff compares two things, and one is named: ${a}`,
    hint: "a path alone is compared with how it was committed; there is no such path",
  });
}

async function side(name: string, runsDir: string): Promise<DiffSide> {
  const colon = name.indexOf(":");
  if (colon < 0 || existsSync(name)) return inPlace(name, runsDir);
  return fromGit(await findInGit(name.slice(0, colon), name.slice(colon + 1), process.cwd()));
}

function inPlace(name: string, runsDir: string): DiffSide {
  const { path } = findRecord(name, runsDir);
  return { name, form: () => canonicalForm(path) };
}

/** A path, wherever it is and whether it is still there, as it was in a revision of its repository. */
async function committed(revision: string, path: string): Promise<DiffSide> {
  const above = dirname(resolve(path));
  if (existsSync(above)) return fromGit(await findInGit(revision, `./${basename(resolve(path))}`, above));
  return fromGit(await findInGit(revision, `./${relative(process.cwd(), resolve(path))}`, process.cwd()));
}

function fromGit(object: GitObject): DiffSide {
  return {
    name: object.name,
    form: () =>
      inTempFolder("wf-diff-", async (folder) => {
        const path = join(folder, basename(object.name));
        await writeFromGit(object, path);
        try {
          return await canonicalForm(path);
        } catch (error) {
          throw error instanceof WfError ? named(error, path, object.name) : error;
        }
      }),
  };
}

/** Nobody knows of the temporary folder. */
function named(error: WfError, path: string, name: string): WfError {
  const clear = (text: string) => text.replaceAll(path, name);
  const [first, ...rest] = error.problems.map((problem) => ({
    ...problem,
    message: clear(problem.message),
    ...(problem.hint !== undefined && { hint: clear(problem.hint) }),
  }));
  return first ? new WfError([first, ...rest], { cause: error }) : error;
}

/** Whether `name` is a revision, `path` what is compared with it, and not a run. Raises RUN_AMBIGUOUS if it may be either. */
async function isRevisionOf(name: string, path: string, runsDir: string): Promise<boolean> {
  const isRun = name === "latest" || existsSync(name) || existsSync(join(runsDir, name));
  if (isRun || name.includes(":") || !(await isRevision(name, folderOf(path)))) return false;
  try {
    findRecord(name, runsDir);
  } catch (error) {
    if (error instanceof WfError && error.code === "RUN_NOT_FOUND") return true;
    if (!(error instanceof WfError) || error.code !== "RUN_AMBIGUOUS") throw error;
  }
  throw new WfError({
    code: "RUN_AMBIGUOUS",
    message: `${name} is a revision of git, and a part of the id of a run`,
    hint: `the revision:  wf diff ${name}:./${displayPath(path)} ${path}\nthe run:  its whole id`,
  });
}

function folderOf(path: string): string {
  return statSync(path).isDirectory() ? path : dirname(resolve(path));
}
