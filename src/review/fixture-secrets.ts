import type { Secrets } from "../secrets/secrets.ts";
import type { CanonForm } from "./canon-form.ts";

/** Something in a fixture that looks like a secret. What it is stands nowhere, so that no message spreads it. */
export interface SecretFinding {
  /** In the fixture. */
  readonly path: string;
  /** From 1; 0: in the path itself. */
  readonly line: number;
  /** Such as `a GitHub token`. */
  readonly what: string;
}

const KNOWN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/],
  ["a key of age", /\bAGE-SECRET-KEY-1[0-9A-Z]{50,}/],
  ["a key of AWS", /\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}/],
  ["a GitLab token", /\bgl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{20,}/],
  ["a token of npm", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a token of PyPI", /\bpypi-[A-Za-z0-9_-]{40,}/],
  ["a token of Slack", /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com\/services\/[A-Za-z0-9/]{20,}/],
  ["a key of Stripe", /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/],
  ["a key of Google", /\bAIza[A-Za-z0-9_-]{35}/],
  ["a key of a model's provider", /\bsk-(?:[a-z]+[0-9]*-)*[A-Za-z0-9_]{20,}/],
  ["a token of Hugging Face", /\bhf_[A-Za-z0-9]{30,}/],
  ["a signed token (JWT)", /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/],
  ["a password in an address", /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'<>$*{}]*:(?!\*+@)[^\s/@"'<>$*{}]{3,}@/i],
  ["an authorization", /\b(?:Bearer|Basic)\s+(?=[^\s]*\d)[A-Za-z0-9+/=_.~-]{16,}/i],
];

const NAMED =
  /(?:token|secret|passw(?:or)?d|passwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|auth)[A-Za-z0-9_]*\\?["']?\s*(?:[:=]|=>)\s*\\?["']?([^\s"'\\,;&]{10,})/gi;
/** Bits a character: words and names are below, what was drawn at random above. */
const MIN_ENTROPY = 3;

/** Everything that looks like a secret, or is one of those given. */
export function findSecrets(form: CanonForm, secrets: Secrets): SecretFinding[] {
  const names = mayHold(form.map(({ path }) => path).join("\n"), secrets);
  return form.flatMap(({ path, text }) => {
    const inPath = names ? whatIs(path, secrets) : [];
    const found = mayHold(text, secrets) ? inText(path, text, secrets) : [];
    return [...inPath.map((what) => ({ path: "a file's name", line: 0, what })), ...found];
  });
}

/** Whether anything can be in one of its lines: as a whole it is looked through in a tenth of the time. */
function mayHold(text: string, secrets: Secrets): boolean {
  return KNOWN.some(([, pattern]) => pattern.test(text)) || text.search(NAMED) >= 0 || isKnown(text, secrets);
}

function inText(path: string, text: string, secrets: Secrets): SecretFinding[] {
  const found: SecretFinding[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    for (const what of whatIs(line, secrets)) found.push({ path, line: index + 1, what });
  }
  // One that goes over several lines.
  if (found.length === 0 && isKnown(text, secrets)) found.push({ path, line: 1, what: OF_THE_RUN });
  return found;
}

const OF_THE_RUN = "a secret of the run";

function whatIs(text: string, secrets: Secrets): string[] {
  const found = KNOWN.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
  if (isKnown(text, secrets)) found.push(OF_THE_RUN);
  if (found.length > 0) return found;
  for (const [, value = ""] of text.matchAll(NAMED)) {
    if (looksRandom(value))
      return ["a value that looks drawn at random, after a name like token or password"];
  }
  return [];
}

function isKnown(text: string, secrets: Secrets): boolean {
  return !secrets.none && secrets.maskText(text) !== text;
}

function looksRandom(value: string): boolean {
  if (/^(?:<|\$|\{\{|\*{3})|\{\{|\$\{|\$\(|^[a-z]+:\/\//.test(value)) return false;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/].filter((kind) => kind.test(value)).length;
  return kinds >= 2 && entropyOf(value) >= MIN_ENTROPY;
}

/** Of Shannon, in bits a character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
