import { hostname, userInfo } from "node:os";

/** Whom the record names for what this test decides. */
export function who(): string {
  return `${userInfo().username}@${hostname()}`;
}
