import { join } from "node:path";
import type { AttemptName } from "../core/ids.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";

/** Where the nested run of an attempt is. */
export function nestedDir(runDir: string, name: AttemptName): string {
  return join(attemptDir(runDir, name), ATTEMPT_FILES.run);
}
