/**
 * Stands in for an engine that is killed: starts one command, says what it started, and stays.
 *
 *     engine.ts <helper|spawn> <attempt folder> <open|gate>
 */
import { dirname, join } from "node:path";
import { createLauncher } from "../../src/process/launcher.ts";

const [by, attemptDir, until] = process.argv.slice(2) as ["helper" | "spawn", string, "open" | "gate"];
let started = false;
const launcher = createLauncher({
  env: process.env,
  capacity: 2,
  by,
  onReady: () => {
    if (started) return;
    const launched = launcher.take();
    if (launched === null) return;
    started = true;
    const env = { WF_ATTEMPT_ID: "cookie-of-the-test" };
    const argv = ["/bin/sh", "-e", join(attemptDir, "script.sh")];
    launcher.prepare(launched, { attemptDir, cwd: dirname(attemptDir), argv, env });
    if (until === "open") launcher.open(launched);
    console.log(
      JSON.stringify({ ...launched.identity, cookie: env.WF_ATTEMPT_ID, helper: launcher.helperPid }),
    );
  },
  onEnd: () => console.log("ended"),
  onBroken: (why) => console.log(why),
});
launcher.want(1);
