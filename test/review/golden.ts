import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../src/system/version.ts";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "golden");

/** Compares a whole text with the file of that name; `WF_UPDATE_GOLDEN=1` writes it instead. */
export function assertGolden(name: string, text: string): void {
  const path = join(FOLDER, name);
  const shown = text
    .replaceAll(`"version":"${VERSION}"`, '"version":"(this)"')
    .replaceAll(`wf ${VERSION}`, "wf (this)");
  if (process.env.WF_UPDATE_GOLDEN === "1") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path, shown);
  }
  assert.equal(shown, readFileSync(path, "utf8"));
}
