const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };

/**
 * When a limit ends, if the text of a client says so; milliseconds since 1970.
 *
 * @param now what "in 5 minutes" counts from
 */
export function resetTime(said: string, now: number): number | null {
  // "Claude AI usage limit reached|1763000000"
  const epoch = /\|(\d{10})\b/.exec(said)?.[1];
  if (epoch !== undefined) return Number(epoch) * 1000;
  const iso = /\breset\w*\D{0,20}(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))/i.exec(said)?.[1];
  if (iso !== undefined) return Date.parse(iso);
  // "Try again in 3 days 4 hours 5 minutes.", "Please retry in 32.5s", "will reset after 3h2m5s"
  const wait =
    /\b(?:again|retry|resets?|reset)\b[^\d]{0,12}\b(?:in|after)\s+((?:\d+(?:\.\d+)?\s*(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)[\s,]*(?:and\s+)?)+)/i.exec(
      said,
    )?.[1] ?? /"retryDelay"\s*:\s*"(\d+(?:\.\d+)?s)"/.exec(said)?.[1];
  return wait === undefined ? null : now + durationOf(wait);
}

function durationOf(text: string): number {
  let ms = 0;
  for (const [, amount, unit = "s"] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z])/gi)) {
    ms += Number(amount) * (UNITS[unit.toLowerCase()] ?? 0);
  }
  return Math.ceil(ms);
}
