import type { CommandStep } from "../../core/workflow.ts";
import { DEFAULT_SHELL, readShell } from "../environment.ts";
import { readInputFiles } from "../input-files.ts";
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
function checkCache({ id, script, env }: CommandStep, { map, names, reader }: StepContext): void {
  const paths = [
    ...script.variables.map(({ path }) => path),
    ...Object.values(env).flatMap(({ parts }) => parts.filter((part) => typeof part !== "string")),
  ];
  const named = paths.map((path) => names.secretIn(path)).find((name) => name !== null);
  const node = map.entries.get("cache")?.value;
  if (named === undefined || !node) return;
  const message = `step ${id} uses the secret "${named}", so \`cache\` can not be true`;
  const hint = "no record tells whether the secret is still the same; do what needs it in a step of its own";
  reader.refuse("BAD_VALUE", node, message, hint);
}
