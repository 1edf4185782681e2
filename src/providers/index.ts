import type { Provider } from "../core/workflow.ts";
import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import { custom } from "./custom.ts";
import { gemini } from "./gemini.ts";
import type { AgentClient } from "./provider.ts";

const CLIENTS: Readonly<Record<Exclude<Provider["kind"], "custom">, AgentClient>> = { claude, codex, gemini };

export function clientOf(provider: Provider): AgentClient {
  return provider.kind === "custom" ? custom(provider) : CLIENTS[provider.kind];
}
