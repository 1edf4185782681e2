import { isJsonObject, type Json } from "../core/json.ts";

/**
 * Whether the last event that a client printed is the call of a tool whose result is still to come: then its silence
 * is the tool's. The events are those of claude's stream-json, codex's `--json` and gemini's stream-json.
 */
export function isToolCall(line: string): boolean {
  let event: Json;
  try {
    event = JSON.parse(line) as Json;
  } catch {
    return false;
  }
  if (!isJsonObject(event)) return false;
  if (event.type === "tool_use") return true;
  if (event.type === "item.started") {
    return isJsonObject(event.item) && event.item.type !== "agent_message" && event.item.type !== "reasoning";
  }
  if (event.type !== "assistant" || !isJsonObject(event.message)) return false;
  const { content } = event.message;
  return Array.isArray(content) && content.some((part) => isJsonObject(part) && part.type === "tool_use");
}
