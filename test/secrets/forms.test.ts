import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { formsOf } from "../../src/secrets/forms.ts";
import { Secrets } from "../../src/secrets/secrets.ts";

const SECRETS = {
  token: "ghp_0123456789abcdefABCDEF",
  password: `p@ss w0rd'"$HOME\\n&%+/=é`,
  long: "L0ng/".repeat(40),
  key: "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n  Zm9vYmFyYmF6cXV4Zm9v\nshort\n-----END KEY-----",
};

/** What of the secret can still be read, at most the ends of a base64 group. */
function masked(secret: string, text: string): string {
  return new Secrets(new Map([["s", secret]])).maskText(text);
}

describe("forms of a secret", () => {
  for (const [name, secret] of Object.entries(SECRETS)) {
    const base64 = Buffer.from(secret).toString("base64");
    const url = new URLSearchParams({ s: secret }).toString().slice(2);
    const forms: Record<string, string> = {
      "as it is": secret,
      base64,
      "base64 without padding": base64.replace(/=+$/, ""),
      base64url: Buffer.from(secret).toString("base64url"),
      "base64 of a line": Buffer.from(`${secret}\n`).toString("base64"),
      hex: Buffer.from(secret).toString("hex"),
      encodeURIComponent: encodeURIComponent(secret),
      "lower-case escapes": encodeURIComponent(secret).replace(/%../g, (each) => each.toLowerCase()),
      "a form": url,
      JSON: JSON.stringify(secret).slice(1, -1),
    };
    for (const [form, text] of Object.entries(forms)) {
      test(`${name}: ${form}`, () => assert.equal(masked(secret, `<${text}>`), "<***>"));
    }

    test(`${name}: within a longer text in base64, wherever it begins`, () => {
      for (const before of ["", "u", "us", "usr", "user:"]) {
        for (const after of ["", "z", "zz", "zzz"]) {
          for (const encoding of ["base64", "base64url"] as const) {
            const text = masked(secret, Buffer.from(before + secret + after).toString(encoding));
            assert.match(text, /^[\w+/-]*\*\*\*[\w+/-]*=*$/);
            const known = Math.ceil((before.length * 8) / 6) + Math.ceil((after.length * 8) / 6) + 2 + 3 + 2;
            assert.ok(text.length <= known, text);
          }
        }
      }
    });
  }

  for (const [program, ...args] of [
    ["base64"],
    ["base64", "-w", "64"],
    ["sh", "-c", "jq -Rs . 2>/dev/null || cat"],
    ["python3", "-c", "import sys,json;print(json.dumps(sys.stdin.read()))"],
    ["python3", "-c", "import sys,urllib.parse as p;print(p.quote(sys.stdin.read()))"],
    ["python3", "-c", "import sys,urllib.parse as p;print(p.quote_plus(sys.stdin.read()))"],
    ["bash", "-c", 'v=$(cat); printf "%q" "$v"'],
    ["bash", "-c", 'v=$(cat); set -x; : "$v"'],
    ["dash", "-c", 'v=$(cat); set -x; : "$v"'],
    ["xxd", "-p", "-c", "0"],
  ] as const) {
    test(`as it comes out of ${program} ${args.join(" ")}`, (t) => {
      for (const secret of Object.values(SECRETS)) {
        const { stdout, stderr, error } = spawnSync(program, args, { input: secret, encoding: "utf8" });
        if (error) return t.skip(`there is no ${program}`);
        const text = masked(secret, stdout + stderr);
        const rest = text.replaceAll("***", "").replace(/^\+ : /m, "");
        assert.ok(rest.length < 14, `${inspect(secret)}: ${text}`);
      }
    });
  }

  test("lines of eight characters and more are forms, shorter ones are not", () => {
    const text = masked(SECRETS.key, "MIIEvQIBADANBgkqhkiG9w0B, Zm9vYmFyYmF6cXV4Zm9v, short");
    assert.equal(text, "***, ***, short");
  });

  test("no form is shorter than eight bytes, so that nothing is masked by chance", () => {
    for (const secret of [...Object.values(SECRETS), "eight888", "a\nb\nc\nd\ne"]) {
      for (const form of formsOf(secret)) assert.ok(form.length >= 8, Buffer.from(form).toString());
    }
  });
});
