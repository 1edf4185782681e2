// A model of little brain, for the real clients: it serves the two protocols they speak (Anthropic Messages, OpenAI
// Responses, both streaming) on loopback. It knows nothing of its task but where the client says its files are, reads
// prompt.md with the client's own tool, and does what the prompt tells it:
//
//   [[attempt 1: {"1": {"write": {"/path": "text"}, "say": "…"}, "2": …}]]   by the number of the attempt; the last for more
//
// write: files, by the client's own tool; run: a shell command; say: its final message. What the name of the model
// begins with makes it fail: status-401, status-500 (every request), hang (no answer), wait (none until `release()`).
import { createServer } from "node:http";

export function startServer() {
  const held = [];
  const calls = [];
  const server = createServer(async (request, response) => {
    try {
      const body = await bodyOf(request);
      const protocol =
        request.method === "POST" ? PROTOCOLS.find(({ path }) => path.test(request.url)) : undefined;
      if (!protocol) return reply(response, request.method === "HEAD" ? 200 : 404, {});
      const model = String(body.model);
      calls.push(model);
      const status = /^status-(\d+)/.exec(model)?.[1];
      if (status) return reply(response, Number(status), protocol.error(`told to fail with ${status}`));
      if (model.startsWith("hang")) return;
      if (model.startsWith("wait")) await new Promise((go) => held.push(go));
      protocol.answer(streamTo(response), nextMove(protocol.read(body), protocol));
      response.end();
    } catch (error) {
      reply(response, 500, { error: { message: String(error) } });
    }
  });
  return new Promise((ready) => {
    server.listen(0, "127.0.0.1", () => {
      ready({
        url: `http://127.0.0.1:${server.address().port}`,
        calls,
        waiting: () => held.length,
        release: () => held.splice(0).forEach((go) => void go()),
        close: () => {
          server.closeAllConnections();
          server.close();
        },
      });
    });
  });
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text === "" ? {} : JSON.parse(text);
}

function reply(response, status, body) {
  if (!response.headersSent) response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** What it does next: a tool call, or its last words. `seen`: instructions, tools, and the results of its calls so far. */
function nextMove({ instructions, tools, results }, { tool }) {
  const folder = /\$WF_ATTEMPT_DIR is the folder (\S+),/.exec(instructions)?.[1];

  if (tools.length === 0 || !folder) return { say: "ok" };
  if (results.length === 0) return tool.read(tools, `${folder}/prompt.md`);
  const task = taskIn(results[0]);
  if (!task) return { say: `there is no task in: ${results[0]}` };
  const moves = [
    ...Object.entries(task.write ?? {}).map(([path, text]) => tool.write(tools, path, text)),
    ...(task.run ? [tool.run(tools, task.run)] : []),
  ];
  return moves[results.length - 1] ?? { say: task.say ?? "done" };
}

function taskIn(prompt) {
  const [, attempt, json] = /\[\[attempt (\d+): (.*)\]\]/.exec(prompt) ?? [];
  if (json === undefined) return null;
  const tasks = JSON.parse(json);
  return tasks[attempt] ?? Object.values(tasks).at(-1);
}

function streamTo(response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  return (type, data) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
}

let ids = 0;
const nextId = (prefix) => `${prefix}_${++ids}`;
const textOf = (content) => {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? (part.content ? textOf(part.content) : "")).join("\n");
};

const messages = {
  path: /^\/v1\/messages(\?|$)/,
  error: (message) => ({ type: "error", error: { type: "api_error", message } }),
  tool: {
    read: (_, file_path) => ({ call: "Read", input: { file_path } }),
    write: (_, file_path, content) => ({ call: "Write", input: { file_path, content } }),
    run: (_, command) => ({ call: "Bash", input: { command, description: "as told" } }),
  },
  read(body) {
    const parts = body.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
    return {
      instructions: textOf(body.system),
      tools: (body.tools ?? []).map(({ name }) => name),
      results: parts.filter(({ type }) => type === "tool_result").map((part) => textOf(part.content)),
    };
  },
  answer(send, move) {
    const usage = { input_tokens: 1000, output_tokens: 50 };
    const message = {
      id: nextId("msg"),
      type: "message",
      role: "assistant",
      model: "m",
      content: [],
      stop_reason: null,
      usage,
    };
    send("message_start", { message });
    const [block, delta] = move.call
      ? [
          { type: "tool_use", id: nextId("toolu"), name: move.call, input: {} },
          { type: "input_json_delta", partial_json: JSON.stringify(move.input) },
        ]
      : [
          { type: "text", text: "" },
          { type: "text_delta", text: move.say },
        ];
    send("content_block_start", { index: 0, content_block: block });
    send("content_block_delta", { index: 0, delta });
    send("content_block_stop", { index: 0 });
    send("message_delta", { delta: { stop_reason: move.call ? "tool_use" : "end_turn" }, usage });
    send("message_stop", {});
  },
};

const shell = (tools, cmd) => {
  if (tools.includes("exec_command")) return { call: "exec_command", input: { cmd } };
  if (tools.includes("shell_command")) return { call: "shell_command", input: { command: cmd } };
  return { call: "shell", input: { command: ["bash", "-c", cmd] } };
};

const responses = {
  path: /^\/v1\/responses(\?|$)/,
  error: (message) => ({ error: { message, type: "api_error" } }),
  tool: {
    read: (tools, path) => shell(tools, `cat '${path}'`),
    write: (_, path, text) => {
      const lines = text.replace(/\n$/, "").split("\n");
      return {
        patch: [
          "*** Begin Patch",
          `*** Add File: ${path}`,
          ...lines.map((line) => `+${line}`),
          "*** End Patch",
          "",
        ].join("\n"),
      };
    },
    run: shell,
  },
  read(body) {
    const items = Array.isArray(body.input) ? body.input : [];
    const said = items.filter(({ role }) => role !== undefined).map(({ content }) => textOf(content));
    return {
      instructions: [body.instructions ?? "", ...said].join("\n"),
      tools: (body.tools ?? []).map(({ name, type }) => name ?? type),
      results: items
        .filter(({ type }) => /_output$/.test(type ?? ""))
        .map(({ output }) => (typeof output === "string" ? output : textOf(output))),
    };
  },
  answer(send, move) {
    const item = move.patch
      ? {
          type: "custom_tool_call",
          id: nextId("ctc"),
          call_id: nextId("call"),
          name: "apply_patch",
          input: move.patch,
        }
      : move.call
        ? {
            type: "function_call",
            id: nextId("fc"),
            call_id: nextId("call"),
            name: move.call,
            arguments: JSON.stringify(move.input),
          }
        : {
            type: "message",
            id: nextId("msg"),
            role: "assistant",
            content: [{ type: "output_text", text: move.say }],
          };
    const response = { id: nextId("resp"), object: "response", status: "completed", output: [item] };
    const usage = { input_tokens: 1000, output_tokens: 50, total_tokens: 1050 };
    send("response.created", { response: { ...response, status: "in_progress", output: [] } });
    send("response.output_item.done", { output_index: 0, item });
    send("response.completed", { response: { ...response, usage } });
  },
};

const PROTOCOLS = [messages, responses];
