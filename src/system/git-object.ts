import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { type Problem, WfError } from "../core/problem.ts";

/** A folder or file in a revision of a repository. */
export interface GitObject {
  /** As git calls it: `main:fixtures/runs/hello`. */
  readonly name: string;
  readonly repository: string;
  readonly kind: "tree" | "blob";
  readonly id: string;
}

const MAX_BYTES = 1 << 30;

/**
 * What a path was in a revision. `folder`: in the repository; a path that begins with `./` or `../` begins there, any
 * other at the top. Raises USAGE where there is no repository, RUN_NOT_FOUND for an unknown revision or path.
 */
export async function findInGit(revision: string, path: string, folder: string): Promise<GitObject> {
  const repository = (await git(folder, ["rev-parse", "--absolute-git-dir"], noRepository(folder))).trim();
  if (revision === "" || !(await isRevision(revision, folder))) {
    throw new WfError({
      code: "RUN_NOT_FOUND",
      message:
        revision === "" ? "there is no revision before the colon" : `git knows no revision ${revision}`,
      hint: "such as HEAD, main, v1.2 or the beginning of a commit's id; git log --oneline lists commits",
    });
  }
  const prefix = /^\.\.?(\/|$)/.test(path) ? await topPrefix(folder) : "";
  const inTop = posix.normalize(`${prefix}${path}`).replace(/^\.?\/|\/$|^\.$/g, "");
  const name = `${revision}:${inTop}`;
  const unknown: Problem = {
    code: "RUN_NOT_FOUND",
    message: `${revision} has no ${inTop || "files"}`,
    hint: `git ls-tree -r --name-only ${revision} lists what it has`,
  };
  const id = (await git(folder, ["rev-parse", "--verify", "--quiet", name], unknown)).trim();
  const kind = (await git(folder, ["cat-file", "-t", id], unknown)).trim();
  if (kind !== "tree" && kind !== "blob") throw new WfError(unknown);
  return { name, repository, kind, id };
}

/** Whether git in this folder knows a revision of that name. */
export async function isRevision(revision: string, folder: string): Promise<boolean> {
  if (revision.startsWith("-")) return false;
  return (await run(folder, ["rev-parse", "--verify", "--quiet", `${revision}^{tree}`])).kind === "done";
}

/** Writes it, to the byte, to a path at which nothing is; the folder above it is for wf alone. Raises IO_ERROR. */
export async function writeFromGit({ repository, kind, id, name }: GitObject, path: string): Promise<void> {
  const failed: Problem = { code: "IO_ERROR", message: `git can not read ${name}` };
  const folder = dirname(path);
  if (kind === "blob") {
    writeFileSync(
      path,
      await git(folder, ["cat-file", "blob", id], failed, { GIT_DIR: repository }, "buffer"),
    );
    return;
  }
  mkdirSync(path);
  // An index of its own, so that the repository's stays as it is.
  const env = { GIT_DIR: repository, GIT_WORK_TREE: path, GIT_INDEX_FILE: join(folder, "index") };
  const plain = ["-c", "core.autocrlf=false", "-c", "core.attributesFile=/dev/null"];
  await git(path, ["read-tree", id], failed, env);
  await git(path, [...plain, "checkout-index", "--all", "--quiet"], failed, env);
}

/** From the top of the working tree to a folder in it. */
async function topPrefix(folder: string): Promise<string> {
  return (await git(folder, ["rev-parse", "--show-prefix"], noRepository(folder))).replace(/\n$/, "");
}

function noRepository(folder: string): Problem {
  return {
    code: "USAGE",
    message: `${folder} is in no git repository: there are no revisions to compare with`,
    hint: "call wf diff in a repository, or name two runs",
  };
}

function git(folder: string, args: readonly string[], failed: Problem, env?: object): Promise<string>;
function git(
  folder: string,
  args: readonly string[],
  failed: Problem,
  env: object,
  as: "buffer",
): Promise<Buffer>;
async function git(
  folder: string,
  args: readonly string[],
  failed: Problem,
  env: object = {},
  as: "buffer" | "utf8" = "utf8",
): Promise<string | Buffer> {
  const result = await run(folder, args, env);
  if (result.kind === "done") return as === "buffer" ? result.stdout : result.stdout.toString("utf8");
  if (result.kind === "no git") throw new WfError({ code: "USAGE", message: "there is no git on PATH" });
  // It may be about something else than was thought, such as who owns the repository.
  const said = result.stderr.split("\n", 1)[0]?.replace(/^fatal: /, "") ?? "";
  const hints = [failed.hint, said === "" ? undefined : `git said: ${said}`].filter(
    (each) => each !== undefined,
  );
  throw new WfError({ ...failed, ...(hints.length > 0 && { hint: hints.join("\n") }) });
}

type Run =
  | { readonly kind: "done"; readonly stdout: Buffer }
  | { readonly kind: "failed"; readonly stderr: string }
  | { readonly kind: "no git" };

/** What git gives to its hooks: it is of the folder that they are called in, and the one that is asked about may be another. */
const UNSET = {
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined,
  GIT_COMMON_DIR: undefined,
  GIT_PREFIX: undefined,
};

/** Takes no lock in the repository. */
function run(folder: string, args: readonly string[], env: object = {}): Promise<Run> {
  const options = {
    cwd: folder,
    encoding: "buffer",
    maxBuffer: MAX_BYTES,
    env: { ...process.env, ...UNSET, LC_ALL: "C", ...env },
  } as const;
  return new Promise((resolve) => {
    execFile("git", ["--no-optional-locks", ...args], options, (error, stdout, stderr) => {
      if (!error) resolve({ kind: "done", stdout });
      else if (error.code === "ENOENT") resolve({ kind: "no git" });
      else resolve({ kind: "failed", stderr: stderr.toString("utf8") });
    });
  });
}
