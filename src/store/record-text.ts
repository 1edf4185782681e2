/**
 * A record as it stands on disk: two spaces of indent, keys in the given order, so that a line diff is a field
 * diff; `volatile`, if there, last and on one line, so that two equal runs differ in that line alone.
 */
export function formatRecord(record: object): string {
  const { volatile, ...rest } = record as Record<string, unknown>;
  const body = JSON.stringify(rest, null, 2);
  if (volatile === undefined) return `${body}\n`;
  const member = `"volatile": ${oneLine(volatile)}`;
  return body === "{}" ? `{\n  ${member}\n}\n` : `${body.slice(0, -2)},\n  ${member}\n}\n`;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => oneLine(item ?? null)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}: ${oneLine(member)}`);
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}
