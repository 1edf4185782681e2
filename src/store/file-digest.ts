import { createHash } from "node:crypto";
import * as fs from "node:fs";

const CHUNK_BYTES = 1 << 20;

/** Size and SHA-256 of what is in a file, in memory that does not grow with it. Raises the system's error. */
export function fileDigest(path: string): { readonly bytes: number; readonly sha256: string } {
  const fd = fs.openSync(path, "r");
  try {
    const hash = createHash("sha256");
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let bytes = 0;
    for (;;) {
      const length = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (length === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(chunk.subarray(0, length));
      bytes += length;
    }
  } finally {
    fs.closeSync(fd);
  }
}
