import { DEFAULT_SHELL, readShell } from "../environment.ts";
import { buildScript } from "../script.ts";
import { readStepLimits } from "../step-timing.ts";
import { VIEWS } from "../views.ts";
import type { StepReader } from "./reader.ts";

/** A step that runs a shell script. */
export const command: StepReader = {
  type: "command",
  impliedBy: ["run"],
  keys: ["run", "shell"],
  isGate: false,
  retries: 0,
  gateOutputs: [],
  hasOpenOutputs: true,
  read({ map, common, place, shell: inherited, reader, names }) {
    readStepLimits(map, false, reader);
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
    return { ...common, type: "command", shell, script, cache: false };
  },
};
