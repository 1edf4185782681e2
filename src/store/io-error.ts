import { WfError } from "../core/problem.ts";

const EXPLANATIONS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  EACCES: ["permission denied", "check who owns the folder and its mode"],
  EPERM: ["the system does not allow it", "check who owns the folder and its mode"],
  EROFS: ["the file system is read-only", "choose another folder with --runs-dir"],
  ENOSPC: ["no space is left on the device", "free some space, then resume the run"],
  EDQUOT: ["the disk quota is used up", "free some space, then resume the run"],
  ENOTDIR: ["a part of the path is not a folder", "move that file away or choose another folder"],
  ENOENT: ["it does not exist", "check whether the folder was moved or removed"],
  EISDIR: ["it is a folder", "move it away"],
  EMFILE: ["too many files are open", "raise the limit with ulimit -n"],
  ENFILE: ["too many files are open on this machine", "wait or raise the limit"],
  ENAMETOOLONG: ["the path is too long", "choose a shorter run id or folder"],
  ELOOP: ["the path has a loop of symbolic links", "check the links in it"],
  EIO: ["the device reports an error", "check the disk, then resume the run"],
};

export function errnoOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === "string" ? code : "";
}

/** An error of the system as a person should read it; a WfError passes unchanged. */
export function ioError(error: unknown, doing: string): WfError {
  if (error instanceof WfError) return error;
  const errno = errnoOf(error);
  const [what, hint] = EXPLANATIONS[errno] ?? [
    error instanceof Error ? error.message : String(error),
    undefined,
  ];
  const message = errno === "" ? `can not ${doing}: ${what}` : `can not ${doing}: ${what} (${errno})`;
  return new WfError(
    hint === undefined ? { code: "IO_ERROR", message } : { code: "IO_ERROR", message, hint },
    {
      cause: error,
    },
  );
}
