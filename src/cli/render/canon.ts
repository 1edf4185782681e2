import { resolve } from "node:path";
import type { CanonForm } from "../../review/canon-form.ts";
import { count } from "./text.ts";

export function writtenText(form: CanonForm, folder: string): string {
  return `${count(form.length, "file")} written to ${folder}`;
}

/** Described by `schemas/cli/canon.schema.json`. `folder`: where the texts were written; null: they stand here. */
export function canonJson(form: CanonForm, folder: string | null): object {
  return {
    folder: folder === null ? null : resolve(folder),
    files: form.map(({ path, text }) => ({ path, text: folder === null ? text : null })),
  };
}
