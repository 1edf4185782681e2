import { lstatSync, statSync } from "node:fs";
import type { Failure } from "../core/event.ts";
import type { InputParts } from "../core/input-parts.ts";
import type { InputFiles } from "../core/workflow.ts";
import { type FileDigest, type FileDigests, UnreadableFile } from "./file-digests.ts";
import { PreparationError } from "./prepare.ts";
import { compileGlobs, matchingFiles, UnreadableFolder } from "./project-files.ts";

/**
 * The content of a step's input files, as its key has it; a promise if there is much to read. Raises, or rejects with,
 * `PreparationError`: INPUT_FILE_MISSING, INPUT_FILE_PRESENT, INPUT_FILE_UNREADABLE.
 */
export function contentOf(
  project: string,
  { globs, absent }: InputFiles,
  digests: FileDigests,
): InputParts["files"] | Promise<InputParts["files"]> {
  for (const path of absent) requireAbsent(project, path);
  try {
    const set = compileGlobs(globs);
    for (const path of set.named) requireFile(project, path);
    const paths = [...new Set([...set.named, ...matchingFiles(project, set)])].sort();
    const found = digests.of(project, paths);
    if (!(found instanceof Promise)) return named(paths, found, set.named);
    return found.then(
      (late) => named(paths, late, set.named),
      (error) => {
        throw unreadable(error);
      },
    );
  } catch (error) {
    throw unreadable(error);
  }
}

/** A file that was there a moment ago, and is not any more, is not there. */
function named(
  paths: readonly string[],
  digests: readonly (FileDigest | null)[],
  required: readonly string[],
): InputParts["files"] {
  const gone = required.find((path) => digests[paths.indexOf(path)] === null);
  if (gone !== undefined) throw new PreparationError(missing(gone, "is not there"));
  return Object.fromEntries(
    paths.flatMap((path, index) => {
      const digest = digests[index];
      return digest ? [[path, `${digest.sha256}${digest.executable ? " x" : ""}`]] : [];
    }),
  );
}

function requireFile(project: string, path: string): void {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(`${project}/${path}`, { throwIfNoEntry: false });
  } catch {
    stat = undefined;
  }
  if (stat?.isFile()) return;
  const what = stat === undefined ? "is not there" : stat.isDirectory() ? "is a folder" : "is no plain file";
  throw new PreparationError(missing(path, what));
}

function missing(path: string, what: string): Failure {
  return {
    code: "INPUT_FILE_MISSING",
    message: `the input file ${path} ${what}`,
    hint:
      what === "is a folder"
        ? `write ${path}/** in input_files for the files in it`
        : "a path without a wildcard in input_files must be there; a pattern such as dir/* may match nothing",
  };
}

function requireAbsent(project: string, path: string): void {
  if (!isThere(`${project}/${path}`)) return;
  throw new PreparationError({
    code: "INPUT_FILE_PRESENT",
    message: `${path} is there, and must be absent`,
    hint: "remove it, or take it out of the absent files of input_files",
  });
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function unreadable(error: unknown): unknown {
  const isFolder = error instanceof UnreadableFolder;
  if (!isFolder && !(error instanceof UnreadableFile)) return error;
  return new PreparationError({
    code: "INPUT_FILE_UNREADABLE",
    message: `${isFolder ? "the folder" : "the input file"} ${error.path} can not be read (${error.errno})`,
    hint: "make it readable, or leave it out with a pattern that begins with ! in input_files",
  });
}
