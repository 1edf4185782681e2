import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";

/** Another run that a run names. */
export interface RunLink {
  /** Its id. */
  readonly run: string;
  /** `fork`: it was forked from that one, or from a fork of it; `reuse`: it takes finished attempts from it. */
  readonly how: "fork" | "reuse";
}

/** The lines in which a journal names other runs; the others are not parsed. */
const EVENTS = ['"event":"run_created"', '"event":"engine_started"'];

/** Those that a run names in its journal. Raises IO_ERROR. */
export function runLinks(runDir: string): RunLink[] {
  const path = join(runDir, RUN_FILES.journal);
  let journal: Buffer;
  try {
    journal = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw ioError(error, `read ${path}`);
  }
  return EVENTS.flatMap((event) => linesWith(journal, event)).flatMap(linksOf);
}

function linesWith(journal: Buffer, text: string): string[] {
  const lines: string[] = [];
  for (let at = journal.indexOf(text); at >= 0; at = journal.indexOf(text, at + 1)) {
    const end = journal.indexOf(10, at);
    lines.push(journal.toString("utf8", journal.lastIndexOf(10, at) + 1, end < 0 ? journal.length : end));
  }
  return lines;
}

function linksOf(line: string): RunLink[] {
  const volatile = memberOf(parsed(line), "volatile");
  const forked = memberOf(volatile, "forkedFrom");
  const earlier = forked?.earlier;
  const forks = [forked, ...(Array.isArray(earlier) ? (earlier as readonly Json[]) : [])];
  return [...forks.flatMap(named("fork")), ...[memberOf(volatile, "reuse")].flatMap(named("reuse"))];
}

function named(how: RunLink["how"]): (value: Json | undefined) => RunLink[] {
  return (value) =>
    isJsonObject(value) && typeof value.run === "string" && value.run !== "" ? [{ run: value.run, how }] : [];
}

function memberOf(value: JsonObject | undefined, key: string): JsonObject | undefined {
  const member = value?.[key];
  return isJsonObject(member) ? member : undefined;
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
