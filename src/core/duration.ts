export type ParsedDuration =
  | { readonly ok: true; readonly ms: number }
  | { readonly ok: false; readonly message: string };

/** One year. A longer wait is a mistake of units. */
const MAX_MS = 365 * 24 * 3_600_000;

const FORM = /^(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?$/;

/** `500ms`, `30s`, `10m`, `1h30m`, or a number of seconds, in milliseconds. */
export function parseDuration(value: string | number): ParsedDuration {
  const ms = typeof value === "number" ? Math.round(value * 1000) : fromText(value);
  if (ms === null || !Number.isFinite(ms)) return { ok: false, message: "is not a duration" };
  if (ms < 0) return { ok: false, message: "is negative" };
  if (ms > MAX_MS) return { ok: false, message: "is longer than a year" };
  return { ok: true, ms };
}

function fromText(text: string): number | null {
  const found = FORM.exec(text);
  if (!found || text === "") return null;
  const [h = 0, m = 0, s = 0, ms = 0] = found.slice(1).map((digits) => Number(digits ?? 0));
  return ((h * 60 + m) * 60 + s) * 1000 + ms;
}

/** `5400000` → `1h30m`; what `parseDuration` reads back as the same number. */
export function formatDuration(ms: number): string {
  const rest = Math.max(0, Math.round(ms));
  const parts: [number, string][] = [
    [Math.floor(rest / 3_600_000), "h"],
    [Math.floor(rest / 60_000) % 60, "m"],
    [Math.floor(rest / 1000) % 60, "s"],
    [rest % 1000, "ms"],
  ];
  const text = parts.map(([count, unit]) => (count > 0 ? `${count}${unit}` : "")).join("");
  return text === "" ? "0s" : text;
}
