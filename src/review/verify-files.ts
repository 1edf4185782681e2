import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { errnoOf } from "../store/io-error.ts";
import { ATTEMPT_FILES, RUN_FILES } from "../store/layout.ts";
import type { Findings } from "./verify-rules.ts";

export type Kind = "file" | "folder";

/** What verify looks at a run through: each thing that can not be read becomes a finding, and nothing raises. */
export class Files {
  readonly runDir: string;
  readonly #findings: Findings;
  /** Files and folders looked at. */
  seen = 0;

  constructor(runDir: string, findings: Findings) {
    this.runDir = runDir;
    this.#findings = findings;
  }

  /** What stands in a folder, by name; empty if there is none, or none that can be read. */
  list(path: string): fs.Dirent[] {
    try {
      const entries = fs.readdirSync(this.#at(path), { withFileTypes: true });
      this.seen += entries.length;
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      this.#unreadable(path, error);
      return [];
    }
  }

  /** Null if it is not there, or can not be read. */
  read(path: string): Buffer | null {
    try {
      return fs.readFileSync(this.#at(path));
    } catch (error) {
      this.#unreadable(path, error);
      return null;
    }
  }

  text(path: string): string | null {
    try {
      return fs.readFileSync(this.#at(path), "utf8");
    } catch (error) {
      this.#unreadable(path, error);
      return null;
    }
  }

  /** Bytes; null if it is not there. */
  size(path: string): number | null {
    try {
      return fs.statSync(this.#at(path), { throwIfNoEntry: false })?.size ?? null;
    } catch (error) {
      this.#unreadable(path, error);
      return null;
    }
  }

  /** Null if nothing is there. */
  kind(path: string): Kind | "link" | "other" | null {
    try {
      const found = fs.lstatSync(this.#at(path), { throwIfNoEntry: false });
      return found === undefined ? null : kindOf(found);
    } catch (error) {
      this.#unreadable(path, error);
      return null;
    }
  }

  /** Whether an entry is what the format says; if not, that is found. */
  is(entry: fs.Dirent, path: string, kind: Kind): boolean {
    const found = kindOf(entry);
    if (found === kind) return true;
    this.wrongKind(path, found, kind);
    return false;
  }

  wrongKind(path: string, found: Kind | "link" | "other", kind: Kind): void {
    const what = { file: "a file", folder: "a folder", link: "a link", other: "neither a file nor a folder" };
    const message = `it is ${what[found]} where ${what[kind]} is due`;
    // Aside goes only what can be written again.
    const again = path === RUN_FILES.snapshot || path.endsWith(`/${ATTEMPT_FILES.record}`);
    this.#findings.damage("file-kind", path, message, again ? { repair: "quarantine" } : {});
  }

  /** Size and SHA-256 of a file, read piece by piece; null if it can not be read. */
  digest(path: string): { readonly bytes: number; readonly sha256: string } | null {
    let fd: number;
    try {
      fd = fs.openSync(this.#at(path), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch (error) {
      this.#unreadable(path, error);
      return null;
    }
    try {
      const hash = createHash("sha256");
      let bytes = 0;
      for (;;) {
        const length = fs.readSync(fd, CHUNK);
        if (length === 0) return { bytes, sha256: hash.digest("hex") };
        hash.update(CHUNK.subarray(0, length));
        bytes += length;
      }
    } catch (error) {
      this.#unreadable(path, error);
      return null;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Not `join`, which looks at each character: this is called for each of a hundred thousand files. */
  #at(path: string): string {
    return path === "" ? this.runDir : `${this.runDir}/${path}`;
  }

  #unreadable(path: string, error: unknown): void {
    const errno = errnoOf(error);
    // Not there, or in the place of something of another kind, which is told of where that is looked at.
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EISDIR") return;
    this.#findings.damage("readable", path, `it can not be read (${errno || (error as Error).message})`);
  }
}

const CHUNK = Buffer.alloc(1 << 16);

export function kindOf(entry: fs.Dirent | fs.Stats): Kind | "link" | "other" {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}
