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

const AT_ONCE = 256;

/** The same text in pieces: of a record whose member `key` is `{}` there and gets these members here. */
export function* recordInPieces(
  record: object,
  key: string,
  members: Iterable<readonly [string, unknown]>,
): Generator<string> {
  const text = formatRecord(record);
  const open = `\n  ${JSON.stringify(key)}: {`;
  // Of what lies deeper the lines begin with more spaces, and no text has a line end in it.
  const at = text.indexOf(open) + open.length;
  yield text.slice(0, at);
  let separator = "\n";
  let some: Record<string, unknown> = {};
  let count = 0;
  const flush = () => {
    const inside = JSON.stringify([some], null, 2).slice("[\n  {\n".length, -"\n  }\n]".length);
    const piece = separator + inside;
    separator = ",\n";
    some = {};
    count = 0;
    return piece;
  };
  for (const [name, value] of members) {
    some[name] = value;
    count += 1;
    if (count === AT_ONCE) yield flush();
  }
  if (count > 0) yield flush();
  yield (separator === "\n" ? "" : "\n  ") + text.slice(at);
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => oneLine(item ?? null)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}: ${oneLine(member)}`);
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}
