/** Control characters as `^X` or `<U+…>`, so that what a step printed can not move the cursor, set a title or hide. */
export function neutralize(text: string): string {
  return text
    .replace(COLOR_SEQUENCE, "")
    .replaceAll("\r\n", "\n")
    .replace(CONTROL, (character) => {
      const code = character.charCodeAt(0);
      if (code === 127) return "^?";
      if (code < 32) return `^${String.fromCharCode(code + 64)}`;
      return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
    });
}

// Harmless, and in most logs: dropped rather than spelled out.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const COLOR_SEQUENCE = /\u001b\[[0-9;:]*m/g;
// All of C0 but tab and newline, DEL, C1, and what reorders text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text from elsewhere that is to stay on one line. */
export function oneLine(text: string): string {
  return neutralize(text).replaceAll("\n", " ⏎ ");
}

export function indent(text: string, by: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : by + line))
    .join("\n");
}

/** Columns, as wide as their widest cell; `paint` sees a cell when its width is already right. */
export function table(
  rows: readonly (readonly string[])[],
  paint: (cell: string, row: number, column: number) => string = (cell) => cell,
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row, index) =>
    row
      .map((cell, column) => {
        const last = column === row.length - 1;
        return paint(last ? cell : cell.padEnd(widths[column] ?? 0), index, column);
      })
      .join("  ")
      .trimEnd(),
  );
}

/** `340 ms`, `2.1 s`, `4 min 05 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Between two recorded times; undefined if one is missing. */
export function between(from: string | null | undefined, to: string | null | undefined): string | undefined {
  if (!from || !to) return undefined;
  return duration(Date.parse(to) - Date.parse(from));
}

/** `2026-11-22 07:16:30`, in the local time zone. */
export function localTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${timeOfDay(iso)}`;
}

/** `07:16:30`, in the local time zone. */
export function timeOfDay(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime())
    ? iso
    : [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** `1023 bytes`, `1.4 MB`. */
export function bytes(size: number): string {
  if (size < 10_000) return count(size, "byte");
  const units = ["kB", "MB", "GB", "TB"];
  let value = size / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** A word as a POSIX shell reads it back. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** A run's reason after its status, without saying the status twice. */
export function afterStatus(status: string, message: string): string {
  const text = oneLine(message);
  const rest = text.replace(new RegExp(`^${status}(:| )\\s*`), "");
  return rest === "" ? text : rest;
}
