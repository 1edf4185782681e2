import { variableName } from "../../core/ids.ts";
import type { CommandStep, Template, TemplatePath } from "../../core/workflow.ts";
import { DEFAULT_SHELL, readShell } from "../environment.ts";
import { readInputFiles } from "../input-files.ts";
import type { Names } from "../names.ts";
import { buildScript } from "../script.ts";
import { readStepLimits } from "../step-timing.ts";
import { VIEWS } from "../views.ts";
import type { StepContext, StepReader } from "./reader.ts";

/** A step that runs a shell script. */
export const command: StepReader = {
  type: "command",
  impliedBy: ["run"],
  keys: ["run", "shell", "input_files", "cache"],
  isGate: false,
  retries: 0,
  gateOutputs: [],
  undeclared: () => "any",
  read(context) {
    const { map, common, place, shell: inherited, reader, names } = context;
    readStepLimits(map, false, reader);
    const inputFiles = readInputFiles(map.entries.get("input_files")?.value, reader);
    const cache = reader.boolean(map.entries.get("cache")?.value, "`cache`") ?? false;
    const shell = readShell(map.entries.get("shell")?.value, reader) ?? inherited ?? DEFAULT_SHELL;
    const run = map.entries.get("run");
    if (!run) {
      reader.problems.add(
        "MISSING_KEY",
        { start: map.start, end: map.start + 1 },
        `step ${common.id} has no \`run\``,
      );
      return null;
    }
    const text = reader.text(run.value, "`run`");
    if (!text) return null;
    if (text.value.trim() === "")
      return reader.refuse("BAD_VALUE", text, "`run` is empty", "write the commands to run");
    const view = VIEWS.step(place);
    const script = buildScript(text, shell, reader.problems, (piece) => names.path(text, piece, view));
    // Not `common` first: V8 would give each step a shape of its own, which takes as much memory as the step.
    const step = {
      type: "command" as const,
      ...common,
      shell,
      script,
      ...(inputFiles ? { inputFiles } : {}),
      cache,
    };
    if (cache) checkCache(step, context);
    return step;
  },
};

/** What depends on a secret can not be told from what depends on another: no record has anything of it. */
function checkCache(step: CommandStep, { map, workflowEnv, names, reader }: StepContext): void {
  const node = map.entries.get("cache")?.value;
  if (!node) return;
  const refuse = (how: string, hint: string) =>
    reader.refuse("BAD_VALUE", node, `step ${step.id} ${how}, so \`cache\` can not be true`, hint);
  const { script, env } = step;
  const own = secretIn([...script.variables.map(({ path }) => path), ...pathsIn(env)], names);
  const byName = names.secrets.find((name) => namesVariable(script.text, variableName("WF_INPUT", [name])));
  const shared = secretIn([...pathsIn(workflowEnv)], names);
  if (own ?? byName) refuse(`uses the secret "${own ?? byName}"`, SECRET_HINT);
  else if (shared) refuse(`has the secret "${shared}" by the \`env\` of the workflow`, SHARED_HINT);
}

const SECRET_HINT =
  "no record tells whether the secret is still the same; do what needs it in a step of its own";
const SHARED_HINT = "give the secret to the steps that need it, by their own `env`";

function* pathsIn(env: Readonly<Record<string, Template>>): Generator<TemplatePath> {
  for (const { parts } of Object.values(env))
    for (const part of parts) if (typeof part !== "string") yield part;
}

function secretIn(paths: readonly TemplatePath[], names: Names): string | undefined {
  for (const path of paths) {
    const found = names.secretIn(path);
    if (found !== null) return found;
  }
  return undefined;
}

function namesVariable(script: string, variable: string): boolean {
  return new RegExp(`\\b${variable}\\b`).test(script);
}
