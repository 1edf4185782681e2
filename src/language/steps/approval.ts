import { GATE_IN_FOREACH } from "../foreach.ts";
import { VIEWS } from "../views.ts";
import type { StepReader } from "./reader.ts";

/** A step that shows a message and waits for a person's decision. */
export const approval: StepReader = {
  type: "approval",
  impliedBy: ["message"],
  keys: ["message"],
  refused: [
    { keys: ["foreach"], why: GATE_IN_FOREACH },
    {
      keys: [
        "timeout",
        "idle_timeout",
        "retry",
        "limits",
        "pools",
        "outputs",
        "output_files",
        "input_files",
        "cache",
        "env",
        "cwd",
        "workspace_mode",
        "shell",
        "on_interrupt",
      ],
      why: "an approval runs nothing: it waits for a person as long as it takes, and gives `decision` and `feedback`",
    },
  ],
  isGate: true,
  isPerson: true,
  retries: 0,
  gateOutputs: [],
  undeclared: () => [],
  read({ map, common, place, reader, names }) {
    const node = map.entries.get("message")?.value;
    if (!node) {
      const at = { start: map.start, end: map.start + 1 };
      const hint = "write `message:` and what the person has to decide";
      reader.problems.add("MISSING_KEY", at, `step ${common.id} has no \`message\``, hint);
      return null;
    }
    const text = reader.text(node, "`message`");
    if (!text) return null;
    if (text.value.trim() === "") return reader.refuse("BAD_VALUE", text, "`message` is empty");
    return { ...common, type: "approval", message: names.template(text, VIEWS.message(place)) };
  },
};
