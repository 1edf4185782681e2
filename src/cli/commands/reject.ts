import type { Args, Command } from "../command.ts";
import { DECIDE, decide } from "../decide.ts";

export const command: Command = {
  ...DECIDE,
  usage: "reject RUN [STEP]",
  describe:
    "Rejects what a run waits with; the comment reaches the step that it goes back to. An engine that drives the run takes the decision at once, else the next wf resume.",
  examples: [
    ["wf reject latest --comment 'the date is wrong'", "the only gate that waits in the newest run"],
    ["wf reject k3f9 sign_off --comment 'no tests' --resume", "and go on with the run"],
  ],
  run: (args: Args) => decide(args, "reject"),
};
