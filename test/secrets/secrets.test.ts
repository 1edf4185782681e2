import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { WfError } from "../../src/core/problem.ts";
import type { InputDeclaration } from "../../src/core/workflow.ts";
import { secretsFromArguments } from "../../src/secrets/arguments.ts";
import { NO_SECRETS, revealed, Secrets } from "../../src/secrets/secrets.ts";
import { acceptSecrets, gatherSecrets, secretsAgain } from "../../src/secrets/supply.ts";

const secrets = new Secrets(new Map([["token", "hunter2-password"]]));
const input = (name: string, more: Partial<InputDeclaration> = {}): InputDeclaration => ({
  name,
  optional: false,
  secret: true,
  ...more,
});
const codeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    assert.doesNotMatch(`${(error as Error).message} ${(error as WfError).hint}`, /hunter2/);
    return (error as WfError).code;
  }
  return null;
};

describe("masking what is recorded", () => {
  test("failures, with all that is said in them", () => {
    const failure = {
      code: "X",
      message: "is hunter2-password",
      hint: "not hunter2-password",
      details: { a: "hunter2-password!" },
    };
    const masked = { code: "X", message: "is ***", hint: "not ***", details: { a: "***!" } };
    assert.deepEqual(secrets.maskFailure(failure), masked);
    assert.equal(NO_SECRETS.maskFailure(failure), failure);
  });

  test("values, however deep", () => {
    const value = { "hunter2-password": [1, null, { a: "x hunter2-password" }] };
    assert.deepEqual(secrets.maskValue(value), { "***": [1, null, { a: "x ***" }] });
  });

  test("revealed are the declared ones, and nothing that only looks like a mark", () => {
    const inputs = { token: { $secret: "token" }, other: { $secret: "token" } };
    assert.deepEqual(revealed(inputs, secrets), { token: "hunter2-password", other: { $secret: "token" } });
    assert.equal(revealed(inputs, NO_SECRETS), inputs);
  });
});

describe("where secrets come from", () => {
  test("by name before the variable; an empty variable is none", () => {
    const workflow = { inputs: [input("a-b"), input("c"), input("open", { secret: false })] };
    const env = { WF_SECRET_A_B: "from env", WF_SECRET_C: "", WF_SECRET_OPEN: "no" };
    assert.deepEqual(gatherSecrets(workflow, undefined, env), new Map([["a-b", "from env"]]));
    assert.deepEqual(gatherSecrets(workflow, { "a-b": "given" }, env), new Map([["a-b", "given"]]));
  });

  test("what no environment can hold is refused", () => {
    assert.equal(
      codeOf(() => acceptSecrets(new Map([["a", "hunter2\0password"]]))),
      "INPUT_INVALID",
    );
    assert.equal(
      codeOf(() => acceptSecrets(new Map([["a", "x".repeat(64 * 1024 + 1)]]))),
      "INPUT_INVALID",
    );
  });

  test("again, what the run was given", () => {
    const workflow = { inputs: [input("a"), input("b", { optional: true }), input("c", { optional: true })] };
    const recorded = { a: { $secret: "a" }, b: null, c: { $secret: "c" } };
    const again = (given: Record<string, string>) => secretsAgain(workflow, recorded, given, {});
    assert.equal(
      codeOf(() => again({ a: "12345678" })),
      "SECRET_MISSING",
    );
    assert.equal(
      codeOf(() => again({ a: "12345678", c: "short" })),
      "SECRET_TOO_SHORT",
    );
    assert.equal(
      codeOf(() => again({ a: "12345678", c: "12345678", d: "12345678" })),
      "INPUT_UNKNOWN",
    );
    const all = { a: "12345678", b: "not asked for", c: "87654321" };
    assert.deepEqual([...again(all).values.keys()], ["a", "c"]);
  });

  test("files, of which one newline at the end is cut", (t) => {
    const dir = fs.mkdtempSync(join(tmpdir(), "wf-test-secrets-"));
    t.after(() => fs.rmSync(dir, { recursive: true }));
    const file = (name: string, content: string | Buffer) => {
      fs.writeFileSync(join(dir, name), content);
      return `${name}=@${join(dir, name)}`;
    };
    const given = [file("a", "value\n"), file("b", "value\n\n"), file("c", "a=@b\r\n")];
    assert.deepEqual(secretsFromArguments(given), { a: "value", b: "value\n", c: "a=@b" });
    assert.equal(
      codeOf(() => secretsFromArguments([...given, ...given])),
      "INPUT_REPEATED",
    );
    assert.equal(
      codeOf(() => secretsFromArguments([file("d", Buffer.from([255]))])),
      "INPUT_INVALID",
    );
    assert.equal(
      codeOf(() => secretsFromArguments(["a=@/nowhere/at/all"])),
      "FILE_NOT_FOUND",
    );
    assert.equal(
      codeOf(() => secretsFromArguments([`a=@${dir}`])),
      "FILE_UNREADABLE",
    );
  });

  test("never as an argument, and then it is not repeated", () => {
    for (const text of ["token=hunter2", "=hunter2", "=@hunter2"])
      assert.equal(
        codeOf(() => secretsFromArguments([text])),
        "USAGE",
      );
    assert.equal(
      codeOf(() => secretsFromArguments(["token"])),
      "USAGE",
    );
  });
});
