import { setTimeout as pause } from "node:timers/promises";
import type { Claim } from "../../src/store/claim.ts";
import { claim } from "../../src/store/lock.ts";

/** A process that claims runs when told to, as the races need it: `claim <run> <when>`, `release`. */
let held: Claim | undefined;

process.on("message", async (message: { run: string; when: number } | "release") => {
  if (message === "release") {
    held?.release();
    process.send?.("released");
    return;
  }
  await pause(Math.max(0, message.when - Date.now() - 5));
  while (Date.now() < message.when);
  try {
    held = await claim(message.run, { version: "0.1.0" });
    process.send?.({ epoch: held.epoch });
  } catch (error) {
    process.send?.({ code: (error as { code?: string }).code ?? String(error) });
  }
});
process.send?.("ready");
