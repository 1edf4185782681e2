import { formatDuration, parseDuration } from "../core/duration.ts";

const DAY_MS = 24 * 3_600_000;
const UNITS: Readonly<Record<string, number>> = { d: DAY_MS, w: 7 * DAY_MS };

/** `30d`, `2w`, and what a duration may be: `12h`, `1h30m`; in milliseconds, null for anything else. */
export function parseAge(text: string): number | null {
  const [, digits, unit] = /^(\d{1,5})([dw])$/.exec(text) ?? [];
  if (digits !== undefined && unit !== undefined) return Number(digits) * (UNITS[unit] as number);
  const duration = parseDuration(text);
  return duration.ok ? duration.ms : null;
}

/** What `parseAge` reads back as the same. */
export function formatAge(ms: number): string {
  return ms > 0 && ms % DAY_MS === 0 ? `${ms / DAY_MS}d` : formatDuration(ms);
}
