/** The grammar of numbers in JSON. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The number that a text in JSON's grammar stands for; null if it is none, or if it would be rounded. */
export function exactJsonNumber(text: string): number | null {
  return JSON_NUMBER.test(text) ? exactNumber(text) : null;
}

/**
 * The number that decimal, `0x` or `0o` text stands for; null if a double can not hold it, that is if it would be
 * printed with other digits, or if it is an integer beyond 2^53.
 */
export function exactNumber(text: string): number | null {
  const value = Number(text);
  if (!Number.isFinite(value)) return null;
  if (/^[-+]?0[xo]/i.test(text)) return Number.isSafeInteger(value) ? value : null;
  if (/^[-+]?\d+$/.test(text) && !Number.isSafeInteger(value)) return null;
  if (digitsOf(text) !== digitsOf(String(value))) return null;
  return value === 0 ? 0 : value;
}

/** `-12.50e1` → `125e0`: digits without zeros at either end, and the power of ten of the last one. */
function digitsOf(text: string): string {
  const found = /^[-+]?(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text);
  if (!found) return text;
  const [, whole = "", fraction = "", power = "0"] = found;
  const digits = (whole + fraction).replace(/^0+/, "");
  const short = digits.replace(/0+$/, "");
  if (short === "") return "0";
  return `${short}e${BigInt(power) - BigInt(fraction.length) + BigInt(digits.length - short.length)}`;
}
