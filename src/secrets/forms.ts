/** Shorter ones would be found by chance. */
export const MIN_SECRET_CHARACTERS = 8;

/** `base64` and `openssl` break their output after so many characters. */
const BASE64_COLUMNS = [76, 64];

/**
 * All byte forms in which a secret is recognised: itself and each of its longer lines, plain and in the encodings
 * that tools put such values in. None is shorter than 8 bytes.
 */
export function formsOf(secret: string): Uint8Array[] {
  const forms = new Map<string, Buffer>();
  for (const text of [secret, ...longLines(secret)]) {
    for (const form of encodings(text)) {
      const bytes = Buffer.from(form);
      if (bytes.length >= MIN_SECRET_CHARACTERS) forms.set(form, bytes);
    }
  }
  return [...forms.values()];
}

function* longLines(secret: string): Generator<string> {
  const lines = secret.split(/\r?\n/);
  if (lines.length === 1) return;
  for (const line of lines) {
    for (const text of new Set([line, line.trim()])) {
      if (text.length >= MIN_SECRET_CHARACTERS) yield text;
    }
  }
}

function* encodings(text: string): Generator<string> {
  yield text;
  yield* base64Forms(text);
  const hex = Buffer.from(text).toString("hex");
  yield hex;
  yield hex.toUpperCase();
  for (const kept of URL_KEPT) {
    const encoded = percentEncoded(text, kept);
    yield* [encoded, lowerHex(encoded)];
    if (!text.includes(" ")) continue;
    const form = encoded.replaceAll("%20", "+");
    yield* [form, lowerHex(form)];
  }
  yield* jsonForms(text);
  yield* shellForms(text);
}

/** Characters that URL encoders leave as they are, beside letters and digits: from the strictest to `encodeURI`. */
const URL_KEPT = ["-._~", "*-._", "-._~!'()*", "-._~/", "-._~!'()*;/?:@&=+$,#"];

function percentEncoded(text: string, kept: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9]/.test(character) || kept.includes(character)) encoded += character;
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

function lowerHex(encoded: string): string {
  return encoded.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase());
}

/**
 * By itself, with padding, without, and broken into lines; and what of it is the same at each of the three places
 * where it can begin within the groups of a longer text.
 */
function* base64Forms(text: string): Generator<string> {
  for (const ended of [text, `${text}\n`, `${text}\r\n`]) {
    const whole = Buffer.from(ended).toString("base64");
    for (const form of [whole, whole.replace(/=+$/, "")]) {
      yield* [form, urlSafe(form)];
      for (const columns of BASE64_COLUMNS) {
        if (form.length <= columns) continue;
        const lines = form.match(new RegExp(`.{1,${columns}}`, "g")) ?? [];
        yield* [lines.join("\n"), lines.join("\r\n")];
      }
    }
  }
  const bytes = Buffer.from(text);
  for (const before of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const form = shifted.slice(from, to);
    yield* [form, urlSafe(form)];
  }
}

function urlSafe(base64: string): string {
  return base64.replaceAll("+", "-").replaceAll("/", "_");
}

function* jsonForms(text: string): Generator<string> {
  const escaped = JSON.stringify(text).slice(1, -1);
  yield escaped;
  // As PHP and Python write it.
  yield escaped.replaceAll("/", "\\/");
  const ascii = escaped.replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  yield* [ascii, ascii.replaceAll("/", "\\/")];
}

/** What stands between the quotes, as `set -x` and `printf %q` of the usual shells print it. */
function* shellForms(text: string): Generator<string> {
  yield text.replaceAll("'", "'\\''");
  yield text.replaceAll("'", `'"'"'`);
  yield text.replace(/[^A-Za-z0-9_@%+=:,./\-\u0080-\uffff]/g, "\\$&");
  yield text.replace(/[^A-Za-z0-9_@%+:./\-\u0080-\uffff]/g, "\\$&");
  yield text.replace(/[$`"\\]/g, "\\$&");
  yield text
    .replace(/[\\']/g, "\\$&")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\r", "\\r");
}
