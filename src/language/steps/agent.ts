import type { AgentStep, OutputDeclaration, Template } from "../../core/workflow.ts";
import { findAgent } from "../agents.ts";
import { readStepLimits } from "../step-timing.ts";
import { VIEWS } from "../views.ts";
import { ONLY_COMMANDS, type StepContext, type StepReader } from "./reader.ts";

/** What an agent's answer must and may say where it decides. */
const GATE_OUTPUTS: readonly OutputDeclaration[] = [
  { key: "decision", required: true, schema: { type: "string" }, parsed: false },
  { key: "feedback", required: false, schema: { type: "string" }, parsed: false },
];

const KEYS = ["agent", "prompt", "prompt_file"];

/** Clients fail for reasons that pass. */
const RETRIES = 2;

/** A step that calls an agent with a prompt. */
export const agentTask: StepReader = {
  type: "agent_task",
  impliedBy: KEYS,
  keys: KEYS,
  isGate: false,
  retries: RETRIES,
  gateOutputs: GATE_OUTPUTS,
  refused: [ONLY_COMMANDS],
  undeclared: () => [],
  read: (context) => readAgentStep("agent_task", context),
};

/** The same; what the agent says is a decision. */
export const agentReview: StepReader = {
  ...agentTask,
  type: "agent_review",
  impliedBy: [],
  isGate: true,
  read: (context) => readAgentStep("agent_review", context),
};

function readAgentStep(type: AgentStep["type"], context: StepContext): AgentStep | null {
  const { map, common, agents, reader } = context;
  const agent = findAgent(map, common.id, agents, reader);
  const prompt = readPrompt(context);
  const budget = readStepLimits(map, true, reader);
  return agent && prompt && { ...common, type, agent, ...prompt, budget };
}

function readPrompt(context: StepContext): { prompt: Template; promptFile?: string } | null {
  const { map, common, place, prompts, reader, names } = context;
  const inline = map.entries.get("prompt");
  const file = map.entries.get("prompt_file");
  if (!inline && !file) {
    const at = { start: map.start, end: map.start + 1 };
    const hint = "write `prompt:`, or `prompt_file:` and a file beside this one";
    reader.problems.add("MISSING_KEY", at, `step ${common.id} has no \`prompt\``, hint);
    return null;
  }
  if (inline && file) {
    const later = inline.start > file.start ? inline : file;
    const message = `step ${common.id} has both \`prompt\` and \`prompt_file\``;
    reader.problems.add("BAD_VALUE", later, message, "keep one of them");
  }
  if (inline) {
    const text = reader.text(inline.value, "`prompt`");
    if (text?.value.trim() === "") return reader.refuse("BAD_VALUE", text, "`prompt` is empty");
    return text && { prompt: names.template(text, VIEWS.prompt(place)) };
  }
  const path = file ? reader.text(file.value, "`prompt_file`") : null;
  const found = path && prompts.read(path);
  return found && { prompt: names.template(found.text, VIEWS.prompt(place)), promptFile: found.path };
}
