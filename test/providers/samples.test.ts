import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openClientLog } from "../../src/providers/client-log.ts";
import { clientOf } from "../../src/providers/index.ts";
import type { Answer } from "../../src/providers/provider.ts";

const FOLDER = fileURLToPath(new URL("../../fixtures/agents/", import.meta.url));

type Kind = "claude" | "codex" | "gemini";

/** Reads a recording as the output of its client; its name says with which status it ended. */
async function read(name: string): Promise<Answer> {
  const kind = /^[a-z]+/.exec(name)?.[0] as Kind;
  const exitCode = Number(/-rc(\d+)/.exec(name)?.[1] ?? 0);
  return clientOf({ kind }).read(
    openClientLog({ stdout: FOLDER + name, stderr: `${FOLDER}absent` }, exitCode),
  );
}

/** In one line: class and sentence, or the text; what was used; what was denied. */
function inShort(answer: Answer): string {
  const { usage, denied } = answer;
  const end = answer.ok ? `ok: ${answer.text}` : `${answer.failure}: ${answer.message}`;
  const used = usage ? `${usage.tokens} tokens, $${usage.costUsd}, of the ${usage.scope}` : "unknown";
  return `${end} | ${used} | denied: ${denied.join(", ") || "nothing"}`;
}

const EXPECTED: Readonly<Record<string, string>> = {
  "claude-api400-rc1.json":
    "server: claude was answered by its server with an error: API Error: 400 stub error 400 | 0 tokens, $0, of the session | denied: nothing",
  "claude-denied-rc0.json":
    "ok: wrote it | 2580 tokens, $0.012112000000000001, of the session | denied: Write",
  "claude-maxbudget-rc1.json":
    "budget: claude used up its budget: Reached maximum budget ($0.02) | 5160 tokens, $0.024224000000000002, of the session | denied: nothing",
  "claude-maxturns-rc1.json":
    "turn_limit: claude used up its turns: Reached maximum number of turns (3) | 3870 tokens, $0.018168000000000004, of the session | denied: nothing",
  "claude-ok.json":
    "ok: canned answer | 1290 tokens, $0.006056000000000001, of the session | denied: nothing",
  "claude-resume-cumulative-cost.json":
    "ok: two | 2580 tokens, $0.012112000000000001, of the session | denied: nothing",
  "claude-retry.stream.jsonl":
    "ok: after retry | 1290 tokens, $0.006056000000000001, of the session | denied: nothing",
  "claude-schema.json":
    'ok: {"verdict":"approve"} | 1290 tokens, $0.006056000000000001, of the session | denied: nothing',
  "claude-write.stream.jsonl":
    "ok: wrote it | 2580 tokens, $0.012112000000000001, of the session | denied: nothing",
  "claude197-write.stream.jsonl": "ok: wrote it | 2580 tokens, $0.01514, of the call | denied: nothing",
  "codex-command.jsonl": "ok: ran | 2580 tokens, $null, of the session | denied: nothing",
  "codex-failed-rc1.jsonl":
    "server: codex was answered by its server with an error: We’re currently experiencing high demand, which may cause temporary errors. | unknown | denied: nothing",
  "codex-filechange.jsonl": "ok: wrote it | 2580 tokens, $null, of the session | denied: nothing",
  "codex-ok-with-warning.jsonl": "ok: canned answer | 1290 tokens, $null, of the session | denied: nothing",
  "codex-reconnecting-rc1.jsonl":
    "server: codex was answered by its server with an error: We’re currently experiencing high demand, which may cause temporary errors. | unknown | denied: nothing",
  "codex-resume-cumulative-usage.jsonl": "ok: two | 2580 tokens, $null, of the session | denied: nothing",
  "gemini-error-rc144.stream.jsonl":
    'server: gemini was answered by its server with an error: [API Error: {"error":{"code":400,"message":"stub error 400","status":"INTERNAL"}}] | 0 tokens, $null, of the call | denied: nothing',
  "gemini-ok.json": "ok: canned answer | 2580 tokens, $null, of the call | denied: nothing",
  "gemini-write.stream.jsonl": "ok: wrote it | 3870 tokens, $null, of the call | denied: nothing",
};

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(`${name} is read right`, async () => assert.equal(inShort(await read(name)), expected));
}

test("every recording has its row", () => {
  const recorded = readdirSync(FOLDER).filter((name) => /\.jsonl?$/.test(name));
  assert.deepEqual(recorded.sort(), Object.keys(EXPECTED).sort());
});

test("session, version and model are what the client says", async () => {
  const { session, clientVersion, model } = await read("claude-write.stream.jsonl");
  assert.deepEqual(
    { session, clientVersion, model },
    { session: "cf0b2e0c-7a09-48e3-adc4-7cfe475ac34a", clientVersion: "2.1.330", model: "claude-opus-5-5" },
  );
  assert.equal((await read("codex-command.jsonl")).session, "01a20236-a7a5-7b13-9380-47914e7adb1a");
  assert.equal((await read("gemini-write.stream.jsonl")).model, "auto");
});
