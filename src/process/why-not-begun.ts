import { accessSync, constants } from "node:fs";
import type { Command } from "./environment.ts";

/** The wrapper can not say: it has nowhere to. */
export function whyNotBegun(command: Command | undefined): string {
  if (command === undefined) return "it was not given a command";
  const { cwd, attemptDir, stdin } = command;
  if (!isAccessible(cwd, constants.X_OK)) return "its working folder can not be entered";
  if (stdin !== undefined && !isAccessible(stdin, constants.R_OK))
    return "its standard input can not be read";
  if (!isAccessible(attemptDir, constants.W_OK | constants.X_OK)) return "its folder can not be written";
  return "it was stopped before it began, or its log files could not be made";
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
