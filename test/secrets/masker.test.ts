import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formsOf } from "../../src/secrets/forms.ts";
import { MASK, Masker, maskBytes } from "../../src/secrets/masker.ts";
import { Patterns } from "../../src/secrets/patterns.ts";
import { patternsOf, Secrets } from "../../src/secrets/secrets.ts";

/** Every byte of every occurrence, found one by one; occurrences that overlap or touch are one. */
function naive(patterns: readonly Uint8Array[], bytes: Uint8Array): string {
  const text = Buffer.from(bytes);
  const covered = new Uint8Array(text.length);
  for (const pattern of patterns) {
    if (pattern.length === 0) continue;
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1))
      covered.fill(1, at, at + pattern.length);
  }
  let masked = "";
  for (const [i, byte] of text.entries()) {
    if (covered[i] === 0) masked += String.fromCharCode(byte);
    else if (covered[i - 1] !== 1) masked += MASK;
  }
  return masked;
}

function inChunks(patterns: Patterns, bytes: Uint8Array, sizes: readonly number[]): Buffer {
  const masker = new Masker(patterns);
  const out: Uint8Array[] = [];
  let from = 0;
  for (let n = 0; from < bytes.length; n++) {
    const to = from + (sizes[n % Math.max(1, sizes.length)] ?? bytes.length);
    // A copy whose bytes change afterwards, as those of a buffer that is used again.
    const chunk = Buffer.from(bytes.subarray(from, to));
    out.push(Buffer.from(masker.push(chunk)));
    chunk.fill(0);
    from = to;
  }
  out.push(Buffer.from(masker.end()));
  return Buffer.concat(out);
}

/** Few letters, so that patterns lie within each other, overlap and almost match. */
const word = (max: number) =>
  fc
    .string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: max })
    .map((text) => Uint8Array.from(Buffer.from(text)));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });

describe("masking", () => {
  test("what comes out is what the naive way gives, whatever the chunks are", () => {
    fc.assert(
      fc.property(fc.array(word(7), { maxLength: 5 }), word(60), sizes, (patterns, text, chunks) => {
        const expected = naive(patterns, text);
        const automaton = new Patterns(patterns);
        assert.equal(inChunks(automaton, text, chunks).toString("latin1"), expected);
        assert.equal(Buffer.from(maskBytes(automaton, text)).toString("latin1"), expected);
      }),
      { numRuns: 5000 },
    );
  });

  test("no form of a secret is left, and bytes around it are untouched", () => {
    const secret = fc.string({ unit: "binary", minLength: 8, maxLength: 60 }).filter((s) => !s.includes("*"));
    const noise = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(
        secret,
        fc.array(fc.tuple(noise, fc.nat()), { maxLength: 8 }),
        sizes,
        (value, parts, chunks) => {
          const forms = formsOf(value);
          const bytes = Buffer.concat(
            parts.flatMap(([before, n]) => [before, forms[n % forms.length] as Uint8Array]),
          );
          const masked = inChunks(patternsOf([value]), bytes, chunks);
          assert.equal(masked.toString("latin1"), naive(forms, bytes));
          for (const form of forms) assert.equal(masked.indexOf(form), -1);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("text without a secret comes out byte for byte, and at once", () => {
    const patterns = patternsOf(["a secret of some length"]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), sizes, (bytes, chunks) => {
        assert.deepEqual(inChunks(patterns, bytes, chunks), Buffer.from(bytes));
      }),
    );
    const prompt = Buffer.from("Go on? [y/N] ");
    assert.deepEqual(Buffer.from(new Masker(patterns).push(prompt)), prompt);
  });

  test("held back is only what may be the beginning of a secret", () => {
    const masker = new Masker(patternsOf(["correct-horse"]));
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
    assert.equal(text(masker.push(Buffer.from("say corr"))), "say ");
    assert.equal(text(masker.push(Buffer.from("ect-"))), "");
    assert.equal(text(masker.push(Buffer.from("cow, correct-hor"))), "correct-cow, ");
    assert.equal(text(masker.push(Buffer.from("se!"))), "***!");
    assert.equal(text(masker.push(Buffer.from("cor"))), "");
    assert.equal(text(masker.end()), "cor");
  });

  test("time is linear, also for what almost matches all the time", () => {
    const value = `${"a".repeat(30_000)}b`;
    const patterns = patternsOf([value]);
    const masker = new Masker(patterns);
    const began = performance.now();
    for (let i = 0; i < 32; i++) masker.push(Buffer.alloc(64 * 1024, "a"));
    // Quadratic, it would be minutes.
    assert.ok(performance.now() - began < 5000);
  });

  test("a secret as large as is allowed", () => {
    const value = Array.from({ length: 1000 }, (_, i) => `line ${i} ${"x".repeat(50)}\\`).join("\n");
    const secrets = new Secrets(new Map([["key", value.slice(0, 64 * 1024)]]));
    assert.equal(secrets.maskText(`<${value.slice(0, 64 * 1024)}>`), "<***>");
  });
});
