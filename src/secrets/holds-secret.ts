import * as fs from "node:fs";
import { Masker } from "./masker.ts";
import type { Secrets } from "./secrets.ts";

const CHUNK_BYTES = 1 << 20;

/** Whether any form of a secret stands in a file. Raises the system's error. */
export function holdsSecret(path: string, secrets: Secrets): boolean {
  if (secrets.none) return false;
  const masker = new Masker(secrets.patterns);
  const fd = fs.openSync(path, "r");
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const length = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (length === 0) break;
      masker.push(chunk.subarray(0, length));
    }
    masker.end();
    return masker.occurrences > 0;
  } finally {
    fs.closeSync(fd);
  }
}
