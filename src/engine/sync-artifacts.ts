import { dirname, join } from "node:path";
import type { FileOutput } from "../core/event.ts";
import { syncFile, withParents } from "../steps/artifact.ts";
import type { Session } from "./session.ts";

/** Before the turn is durable, artifacts that it records are: they, and the folders between them and the attempt's own. */
export function syncArtifacts(session: Session, files: readonly FileOutput[], attempt: string): void {
  if (!session.sync || files.length === 0) return;
  const paths = files.map(({ file }) => join(session.places.runDir, file));
  session.beforeCommit(() => {
    for (const path of paths) syncFile(path);
    for (const folder of withParents(new Set(paths.map(dirname)), attempt)) syncFile(folder);
  });
}
