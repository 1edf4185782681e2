import { nameFault } from "../core/ids.ts";
import type { Provider } from "../core/workflow.ts";
import { listNames } from "./did-you-mean.ts";
import type { Entry, MapNode, Node } from "./node.ts";
import { checkKeys, type Reader } from "./read.ts";

/** Names of the clients that are known without being declared. */
const BUILT_IN: Readonly<Record<string, "claude" | "codex" | "gemini">> = {
  claude: "claude",
  anthropic: "claude",
  codex: "codex",
  openai: "codex",
  gemini: "gemini",
};

const FIELDS = ["text", "error", "tokens", "cost_usd", "session"] as const;
const PROVIDER_KEYS = { what: "a provider", known: ["command", "output", ...FIELDS] };
const FIELD_PATH = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;

/** By name; null for one that was refused. */
export type Providers = ReadonlyMap<string, Provider | null>;

/** The built-in providers and the declared ones. Of two with one name, that of the later node counts. */
export function readProviders(nodes: readonly Node[], reader: Reader): Providers {
  const found = new Map<string, Provider | null>();
  for (const [name, kind] of Object.entries(BUILT_IN)) found.set(name, { kind });
  for (const node of nodes) {
    const map = reader.map(node, "`providers`", "write `providers: { name: { command: [program] } }`");
    for (const [name, entry] of map?.entries ?? []) {
      checkName(name, entry, reader);
      found.set(name, readProvider(name, entry.value, reader));
    }
  }
  return found;
}

function checkName(name: string, entry: Entry, reader: Reader): void {
  const fault = nameFault(name);
  if (fault) reader.problems.add("BAD_ID", entry, `the provider's name "${name}" ${fault}`);
  if (!Object.hasOwn(BUILT_IN, name)) return;
  const message = `"${name}" is a provider that wf has`;
  const hint = `choose another name than ${listNames(Object.keys(BUILT_IN))}`;
  reader.problems.add("BAD_VALUE", entry, message, hint);
}

function readProvider(name: string, node: Node, reader: Reader): Provider | null {
  const map = reader.map(node, `the provider "${name}"`, "write `{ command: [program] }`");
  if (!map) return null;
  checkKeys(map, PROVIDER_KEYS, reader.problems);
  const command = readCommand(map, name, reader);
  const output =
    reader.choice(map.entries.get("output")?.value, "`output`", ["text", "json", "jsonl"]) ?? "text";
  const fields = readFields(map, output, reader);
  return command && { kind: "custom", name, command, output, fields };
}

function readCommand(map: MapNode, name: string, reader: Reader): string[] | null {
  const node = map.entries.get("command")?.value;
  const hint = "such as `command: [my-agent, --quiet]`";
  if (!node) {
    const at = { start: map.start, end: map.start + 1 };
    reader.problems.add("MISSING_KEY", at, `the provider "${name}" has no \`command\``, hint);
    return null;
  }
  if (node.kind !== "list") return reader.wrongType(node, "`command`", "a list", hint);
  const parts = reader.texts(node, "`command`").map((text) => text.value);
  if (parts.length < node.items.length) return null;
  return parts[0] ? parts : reader.refuse("BAD_VALUE", node, "`command` must name a program", hint);
}

function readFields(map: MapNode, output: "text" | "json" | "jsonl", reader: Reader) {
  const fields: Partial<Record<(typeof FIELDS)[number], string>> = {};
  for (const field of FIELDS) {
    const entry = map.entries.get(field);
    const path = entry && reader.text(entry.value, `\`${field}\``);
    if (!path) continue;
    if (!FIELD_PATH.test(path.value)) {
      const hint = "a path is keys with dots between them, such as usage.total_tokens";
      reader.problems.add("BAD_VALUE", path, `\`${field}\`: "${path.value}" is not a path`, hint);
    } else if (output === "text") {
      const hint = "set `output: json` or `output: jsonl`";
      reader.problems.add("BAD_VALUE", entry, `\`${field}\` has no meaning in an answer that is text`, hint);
    } else fields[field] = path.value;
  }
  return fields;
}
