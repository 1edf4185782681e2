import { hostname, userInfo } from "node:os";

/** `ann@build-7`: who asks for something, for the record. */
export function whoAsks(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under an id that has no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
