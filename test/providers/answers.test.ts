import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Provider } from "../../src/core/workflow.ts";
import { linesOf, openClientLog } from "../../src/providers/client-log.ts";
import { stable } from "../../src/providers/failure.ts";
import { clientOf } from "../../src/providers/index.ts";
import type { Answer } from "../../src/providers/provider.ts";
import { resetTime } from "../../src/providers/reset-time.ts";

interface Left {
  stdout?: string | readonly object[];
  stderr?: string;
  exit?: number | null;
}

/** What a client that left this is taken to have answered. */
async function answer(provider: Provider, left: Left): Promise<Answer> {
  const dir = fs.mkdtempSync(join(tmpdir(), "wf-answer-"));
  try {
    const { stdout = "", stderr = "", exit = 0 } = left;
    const text =
      typeof stdout === "string" ? stdout : stdout.map((each) => `${JSON.stringify(each)}\n`).join("");
    fs.writeFileSync(join(dir, "out"), text);
    fs.writeFileSync(join(dir, "err"), stderr);
    return await clientOf(provider).read(
      openClientLog({ stdout: join(dir, "out"), stderr: join(dir, "err") }, exit),
    );
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
}

const inShort = (answer: Answer) =>
  answer.ok ? `ok: ${answer.text}` : `${answer.failure}: ${answer.message}`;

const claude: Provider = { kind: "claude" };
const codex: Provider = { kind: "codex" };
const gemini: Provider = { kind: "gemini" };
const good = { type: "result", subtype: "success", is_error: false, result: "fine" };
const apiError = (status: number, said: string) => ({
  ...good,
  is_error: true,
  api_error_status: status,
  result: said,
});
const failedTurn = (message: string) => ({ type: "turn.failed", error: { message } });

const TABLE: readonly (readonly [string, Provider, Left, string])[] = [
  ["no output at all", claude, {}, "no_output: claude ended without a final answer"],
  [
    "status 0 and no final record",
    claude,
    { stdout: [{ type: "system", subtype: "init" }] },
    "no_output: claude ended without a final answer",
  ],
  [
    "a record that was cut off",
    claude,
    { stdout: '{"type":"result","subtype":"suc' },
    "no_output: claude ended without a final answer",
  ],
  [
    "noise before the record",
    claude,
    { stdout: `Warning: old node\n(x) ${JSON.stringify(good)}\n` },
    "ok: fine",
  ],
  [
    "a list, as --verbose prints it",
    claude,
    { stdout: JSON.stringify([{ type: "system" }, good]) },
    "ok: fine",
  ],
  [
    "401",
    claude,
    { stdout: [apiError(401, "API Error: 401 no")], exit: 1 },
    "auth: claude could not log in: API Error: 401 no",
  ],
  [
    "429",
    claude,
    { stdout: [apiError(429, "x")], exit: 1 },
    "rate_limited: claude has reached its rate or usage limit",
  ],
  [
    "529",
    claude,
    { stdout: [apiError(529, "Overloaded")], exit: 1 },
    "server: claude was answered by its server with an error: Overloaded",
  ],
  [
    "not logged in",
    claude,
    { stdout: [{ ...good, is_error: true, result: "Not logged in · Please run /login" }], exit: 1 },
    "auth: claude could not log in: Not logged in · Please run /login",
  ],
  [
    "no connection",
    claude,
    {
      stdout: [
        { ...good, is_error: true, result: "API Error: Unable to connect (ECONNREFUSED) 127.0.0.1:39211" },
      ],
      exit: 1,
    },
    "network: claude could not reach its server: API Error: Unable to connect (ECONNREFUSED) 127.0.0.1:<port>",
  ],
  [
    "an interrupted client calls that no error of its status",
    claude,
    { stdout: [{ type: "result", subtype: "error_during_execution", is_error: true }] },
    "canceled: claude was stopped",
  ],
  [
    "a bad flag",
    claude,
    { stderr: "error: unknown option '--nope'\n", exit: 1 },
    "no_output: claude ended without a final answer: error: unknown option '--nope'",
  ],
  [
    "no credentials",
    codex,
    { stdout: [failedTurn("Missing environment variable: `X_KEY`.")], exit: 1 },
    "auth: codex could not log in: Missing environment variable: `X_KEY`.",
  ],
  [
    "401",
    codex,
    { stdout: [failedTurn("unexpected status 401 Unauthorized: no")], exit: 1 },
    "auth: codex could not log in: unexpected status 401 Unauthorized: no",
  ],
  [
    "a lost network",
    codex,
    {
      stdout: [
        failedTurn(
          "stream disconnected before completion: error sending request for url (http://127.0.0.1:40001/v1)",
        ),
      ],
      exit: 1,
    },
    "network: codex could not reach its server: stream disconnected before completion: error sending request for url (http://127.0.0.1:<port>/v1)",
  ],
  [
    "an error that it went on after",
    codex,
    {
      stdout: [
        { type: "error", message: "Reconnecting... 1/5" },
        { type: "item.completed", item: { type: "agent_message", text: "yes" } },
        { type: "turn.completed", usage: {} },
      ],
    },
    "ok: yes",
  ],
  [
    "an error that it ended after",
    codex,
    { stdout: [{ type: "error", message: "Reconnecting... 1/5" }] },
    "no_output: codex ended without a final answer: Reconnecting... 1/5",
  ],
  [
    "a turn that was begun again",
    codex,
    { stdout: [{ type: "turn.completed" }, { type: "turn.started" }] },
    "no_output: codex ended without a final answer",
  ],
  ["SIGTERM, status 0", gemini, {}, "no_output: gemini ended without a final answer"],
  ["401 by the status alone", gemini, { exit: 145 }, "auth: gemini could not log in"],
  [
    "429 by the status alone",
    gemini,
    { exit: 173 },
    "rate_limited: gemini has reached its rate or usage limit",
  ],
  [
    "500 by the status alone",
    gemini,
    { exit: 244 },
    "server: gemini was answered by its server with an error",
  ],
  ["no credentials", gemini, { exit: 41 }, "auth: gemini could not log in"],
  ["the turn limit", gemini, { exit: 53 }, "turn_limit: gemini used up its turns"],
  [
    "a folder that is not trusted",
    gemini,
    { exit: 55, stderr: "not trusted" },
    "denied: gemini was not allowed to do what the task needs: not trusted",
  ],
  [
    "plain text",
    { kind: "custom", name: "own", command: ["x"], output: "text", fields: {} },
    { stdout: "hello" },
    "ok: hello",
  ],
  [
    "plain text, and a bad status",
    { kind: "custom", name: "own", command: ["x"], output: "text", fields: {} },
    { stdout: "hello", stderr: "boom\n", exit: 3 },
    "no_output: own ended without a final answer: boom",
  ],
  [
    "a field of a document",
    { kind: "custom", name: "own", command: ["x"], output: "json", fields: { text: "choices.0.text" } },
    { stdout: '{\n "choices": [{ "text": "hi" }]\n}\n' },
    "ok: hi",
  ],
  [
    "the last of some lines",
    { kind: "custom", name: "own", command: ["x"], output: "jsonl", fields: {} },
    { stdout: [{ text: "a" }, { text: "b" }] },
    "ok: b",
  ],
  [
    "no such field",
    { kind: "custom", name: "own", command: ["x"], output: "json", fields: { text: "answer" } },
    { stdout: "{}" },
    "bad_output: own gave an answer that can not be used: its last record has no answer",
  ],
  [
    "an error in its field",
    { kind: "custom", name: "own", command: ["x"], output: "json", fields: { error: "fault" } },
    { stdout: '{"fault":"quota exceeded"}' },
    "rate_limited: own has reached its rate or usage limit",
  ],
];

for (const [what, provider, left, expected] of TABLE) {
  test(`${provider.kind}: ${what}`, async () =>
    assert.equal(inShort(await answer(provider, left)), expected));
}

test("tools that were denied are told, whether the final record lists them or a rule forbade them", async () => {
  const call = (id: string, name: string) => ({
    type: "assistant",
    message: { content: [{ type: "tool_use", id, name }] },
  });
  const refused = (tool_use_id: string, content: string) => ({
    type: "user",
    message: { content: [{ type: "tool_result", tool_use_id, is_error: true, content }] },
  });
  const { denied } = await answer(claude, {
    stdout: [
      call("1", "Write"),
      refused("1", "File is in a directory that is denied by your permission settings."),
      call("2", "Bash"),
      refused("2", "exit status 1"),
      { ...good, permission_denials: [{ tool_name: "Edit", tool_use_id: "3" }] },
    ],
  });
  assert.deepEqual(denied, ["Write", "Edit"]);
  const patch =
    "2026-11-22T11:06:00Z ERROR codex_core::tools::router: error=patch rejected: writing is blocked by read-only sandbox; rejected by user approval settings\n";
  const failed = {
    type: "command_execution",
    status: "failed",
    aggregated_output: "sh: x: Read-only file system\n",
  };
  const left = { stdout: [{ type: "item.completed", item: failed }], stderr: patch };
  assert.deepEqual((await answer(codex, left)).denied, ["command_execution", "apply_patch"]);
});

test("unknown usage is null and never 0", async () => {
  assert.equal((await answer(claude, {})).usage, null);
  const bare = (await answer(claude, { stdout: [good] })).usage;
  assert.deepEqual([bare?.tokens, bare?.costUsd], [null, null]);
  assert.equal((await answer(codex, { stdout: [{ type: "turn.completed" }] })).usage, null);
  assert.equal((await answer(gemini, { stdout: [{ type: "result", status: "success" }] })).usage, null);
});

test("when a limit ends is told by an event, or by the text", async () => {
  const event = {
    type: "rate_limit_event",
    rate_limit_info: { status: "rejected", resetsAt: 1_800_000_000 },
  };
  assert.equal(
    (await answer(claude, { stdout: [event, apiError(429, "x")], exit: 1 })).retryAt,
    1_800_000_000_000,
  );
  assert.equal((await answer(claude, { stdout: [event, good] })).retryAt, null);
  const now = 1000;
  for (const [said, expected] of [
    ["Claude AI usage limit reached|1763000000", 1_763_000_000_000],
    ["You've hit your usage limit. Try again in 3 days 4 hours 5 minutes.", now + 273_900_000],
    ["Please retry in 32.5s.", now + 32_500],
    ["Your quota will reset after 3h2m5s.", now + 10_925_000],
    ["limit resets at 2026-12-01T00:00:00Z", Date.parse("2026-12-01T00:00:00Z")],
    ["try again later", null],
  ] as const) {
    assert.equal(resetTime(said, now), expected, said);
  }
});

test("what a client said is kept without what differs between two equal runs", () => {
  assert.equal(
    stable(
      "at 2026-11-22T07:34:33.125Z: \u001b[31mreq_2a7f98 failed\u001b[0m for /home/dev/x/y.md\n(127.0.0.1:4001), 83fa87f2-b828-402f-a38f-bbc05a19c537",
    ),
    "at <time>: req_<id> failed for <path> (127.0.0.1:<port>), <id>",
  );
});

test("a long log is read by lines; a line that is too long is passed over, and little is held", async () => {
  const dir = fs.mkdtempSync(join(tmpdir(), "wf-lines-"));
  try {
    const path = join(dir, "out");
    fs.writeFileSync(path, `first\n${"x".repeat(3000)}\nsecond\n\nlast`);
    const lines: string[] = [];
    for await (const line of linesOf(path, 1000)) lines.push(line);
    assert.deepEqual(lines, ["first", "second", "", "last"]);
    const row = `${JSON.stringify({ type: "user", message: { content: "y".repeat(100_000) } })}\n`;
    const fd = fs.openSync(path, "w");
    for (let i = 0; i < 1000; i++) fs.writeSync(fd, row);
    fs.writeSync(fd, `${JSON.stringify(good)}\n`);
    fs.closeSync(fd);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    let most = 0;
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed);
    }, 1);
    const log = openClientLog({ stdout: path, stderr: join(dir, "err") }, 0);
    assert.equal(inShort(await clientOf(claude).read(log)), "ok: fine");
    clearInterval(timer);
    assert.equal(log.text(), null);
    assert.ok(most - before < 80e6, `held ${Math.round((most - before) / 1e6)} MB of 100`);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});
