import { nameFault } from "../core/ids.ts";
import type { Agent, Provider } from "../core/workflow.ts";
import { listNames, suggest } from "./did-you-mean.ts";
import { readEnv } from "./environment.ts";
import type { Names } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import { type Providers, readProviders } from "./providers.ts";
import { checkKeys, type Reader } from "./read.ts";
import { VIEWS, type View } from "./views.ts";

const AGENT_KEYS = {
  what: "an agent",
  known: ["provider", "model", "args", "env", "permissions"],
  // For other programs that read the file.
  ignored: ["can_orchestrate_workflows"],
};

/** The nodes of `agents` and `providers`, from the outside in: of one name the last counts. */
export interface AgentNodes {
  readonly agents: readonly Node[];
  readonly providers: readonly Node[];
}

/** By name; null for one that was refused. */
export type Agents = ReadonlyMap<string, () => Agent | null>;

/**
 * The agents that steps can call, by name. Of one name the last counts.
 * @param isInStep those around it have been judged there: here they are only as far as they are called
 */
export function readAgents(
  around: AgentNodes,
  own: { readonly agents: Node | undefined; readonly providers: Node | undefined },
  isInStep: boolean,
  reader: Reader,
  names: Names,
): Agents {
  const providers = readProviders([...around.providers, ...(own.providers ? [own.providers] : [])], reader);
  const found = new Map<string, () => Agent | null>();
  for (const node of [...around.agents, ...(own.agents ? [own.agents] : [])]) {
    const map = reader.map(node, "`agents`", "write `agents: { name: { provider: claude } }`");
    for (const [name, entry] of map?.entries ?? []) {
      const { value } = entry;
      const fault = nameFault(name);
      if (fault) reader.problems.add("BAD_ID", entry, `the agent's name "${name}" ${fault}`);
      const isShared = isInStep && node !== own.agents;
      const view = isShared ? VIEWS.sharedAgentEnv(name) : VIEWS.workflowEnv;
      const read = () => readAgent(name, value, providers, view, reader, names);
      const agent = isShared ? null : read();
      found.set(name, agent ? () => agent : read);
    }
  }
  return found;
}

function readAgent(
  name: string,
  node: Node,
  providers: Providers,
  envView: View,
  reader: Reader,
  names: Names,
): Agent | null {
  const map = reader.map(node, `the agent "${name}"`, "write `{ provider: claude, model: opus }`");
  if (!map) return null;
  checkKeys(map, AGENT_KEYS, reader.problems);
  const get = (key: string): Node | undefined => map.entries.get(key)?.value;
  const provider = readProviderName(map, name, providers, reader);
  const model = reader.string(get("model"), "`model`");
  const args = get("args");
  if (args && args.kind !== "list") reader.wrongType(args, "`args`", "a list");
  const env = readEnv(get("env"), reader, names, envView);
  const permissions = reader.choice(get("permissions"), "`permissions`", ["read", "write", "full"]);
  return (
    provider && {
      name,
      provider,
      ...(model === null ? {} : { model }),
      args: args?.kind === "list" ? reader.texts(args, "`args`").map((text) => text.value) : [],
      env,
      permissions: permissions ?? "write",
    }
  );
}

function readProviderName(
  map: MapNode,
  agent: string,
  providers: Providers,
  reader: Reader,
): Provider | null {
  const node = map.entries.get("provider")?.value;
  if (!node) {
    const at = { start: map.start, end: map.start + 1 };
    const hint = "such as `provider: claude`";
    reader.problems.add("MISSING_KEY", at, `the agent "${agent}" has no \`provider\``, hint);
    return null;
  }
  const name = reader.string(node, "`provider`");
  if (name === null) return null;
  const found = providers.get(name);
  if (found !== undefined) return found;
  const hint = suggest(name, providers, "providers");
  return reader.refuse("UNKNOWN_NAME", node, `there is no provider "${name}"`, hint);
}

/** The agent that a step names. */
export function findAgent(step: MapNode, id: string, agents: Agents, reader: Reader): Agent | null {
  const node = step.entries.get("agent")?.value;
  if (!node) {
    const at = { start: step.start, end: step.start + 1 };
    const hint = `write \`agent:\` and one of: ${listNames(agents)}`;
    reader.problems.add("MISSING_KEY", at, `step ${id} does not say which agent it calls`, hint);
    return null;
  }
  const name = reader.string(node, "`agent`");
  if (name === null) return null;
  const found = agents.get(name);
  if (found) return found();
  const hint =
    agents.size === 0
      ? `declare it: \`agents: { ${nameFault(name) ? "name" : name}: { provider: claude } }\``
      : suggest(name, agents, "agents");
  return reader.refuse("UNKNOWN_NAME", node, `there is no agent "${name}"`, hint);
}
