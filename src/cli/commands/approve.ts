import type { Args, Command } from "../command.ts";
import { DECIDE, decide } from "../decide.ts";

export const command: Command = {
  ...DECIDE,
  usage: "approve RUN [STEP]",
  describe:
    "Approves what a run waits with. An engine that drives the run takes the decision at once, else the next wf resume.",
  examples: [
    ["wf approve latest", "the only gate that waits in the newest run"],
    ["wf approve k3f9 sign_off --comment 'looks good' --resume", "and go on with the run"],
  ],
  run: (args: Args) => decide(args, "approve"),
};
