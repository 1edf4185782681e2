import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export function read(path: string): string {
  return readFileSync(ROOT + path, "utf8");
}

/** Paths below a folder, relative to the repository. */
export function filesIn(folder: string, extension: string): string[] {
  return readdirSync(ROOT + folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(extension))
    .map((name) => `${folder}/${name}`)
    .sort();
}

/** The part of a page under a heading, up to the next one of the same or a higher level. */
export function section(text: string, heading: string): string {
  const [, from] = text.split(`\n${heading}\n`);
  if (from === undefined) throw new Error(`there is no heading ${heading}`);
  const level = heading.indexOf(" ");
  return from.split(new RegExp(`\n#{1,${level}} `))[0] ?? "";
}

/** The cells of each row of the tables in a text, without heads. */
export function rows(text: string): string[][] {
  const lines = text.split("\n");
  return lines
    .filter((line, i) => line.startsWith("| ") && !/^\|[-:| ]+\|$/.test(lines[i + 1] ?? ""))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What stands in backticks. */
export function code(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((found) => found[1] as string);
}
