import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const GIT_TIMEOUT_MS = 2000;

/**
 * The commit a project stands at, and whether files that git tracks were changed; null where that can not be told
 * (no repository, no git, no commit, too slow). Takes no lock in the repository.
 */
export async function gitState(project: string): Promise<{ commit: string; dirty: boolean } | null> {
  if (!existsSync(join(project, ".git"))) return null;
  const git = (...args: string[]) => output(["--no-optional-locks", "-C", project, ...args]);
  try {
    const [head, status] = await Promise.all([
      git("rev-parse", "--verify", "HEAD"),
      git("status", "--porcelain", "--untracked-files=no"),
    ]);
    return { commit: head.trim(), dirty: status !== "" };
  } catch {
    return null;
  }
}

/** Not by `promisify`: it knows `execFile` by a mark that the one in the bundle, loaded at its first call, lacks. */
function output(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("git", args, { timeout: GIT_TIMEOUT_MS }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}
