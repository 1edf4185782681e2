import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { assembleForm } from "./canon-assemble.ts";
import { type CanonFile, type CanonForm, parseForm } from "./canon-form.ts";
import { inFileOrder, listCanonical, saysNothing } from "./canon-list.ts";
import { openTree } from "./canon-open.ts";
import { isCanonicalId } from "./canon-places.ts";
import { viewRun } from "./view.ts";

/**
 * The canonical form of a run: what it means, without what differs between two runs that mean the same. `path`: a run
 * directory, whole, damaged at its end or still driven; a folder or a text that is a canonical form already, which is
 * given back as it is. It depends on the run alone, not on where, by whom and on what machine it is read.
 * Raises RUN_NOT_FOUND, LEGACY_RUN, RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR.
 */
export async function canonicalForm(path: string): Promise<CanonForm> {
  return readCanonical(path) ?? (await canonicalRunForm(path));
}

/** What is canonical already; null if it is not. */
function readCanonical(path: string): CanonForm | null {
  try {
    if (statSync(path).isFile()) return parseForm(readFileSync(path, "utf8"));
    const record = jsonOf(readFileSync(join(path, RUN_FILES.snapshot), "utf8"));
    if (!isCanonicalId(record?.runId)) return null;
    return [...canonicalFiles(path, record)];
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw ioError(error, `read ${path}`);
  }
}

/** In the order in which a run's files are assembled, nested runs at their place, whole or not. */
function* canonicalFiles(folder: string, record: JsonObject | null): Generator<CanonFile> {
  const steps = isJsonObject(record?.steps) ? Object.keys(record.steps) : [];
  for (const file of inFileOrder(listCanonical(folder), steps)) {
    const { path, kind } = file;
    if (kind !== "run") {
      const text = readFileSync(join(folder, path), "utf8");
      if (!saysNothing(file, text)) yield { path, text };
    } else {
      const snapshot = join(folder, path, RUN_FILES.snapshot);
      const inner = existsSync(snapshot) ? jsonOf(readFileSync(snapshot, "utf8")) : null;
      for (const each of canonicalFiles(join(folder, path), inner))
        yield { ...each, path: `${path}/${each.path}` };
    }
  }
}

async function canonicalRunForm(path: string): Promise<CanonForm> {
  const view = await viewRun(path);
  if (view.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `the older record ${path} has no canonical form: it holds no journal`,
      hint: "wf status shows what it says",
    });
  }
  try {
    return assembleForm(await openTree(view));
  } catch (error) {
    throw ioError(error, `read ${view.runDir}`);
  }
}

export function jsonOf(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
