import { ExitCode } from "../../core/problem.ts";
import { isDamaged, verifyRun } from "../../review/verify.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { print, printDiagnostic, printJson } from "../output.ts";
import { legacyVerifyJson, legacyVerifyText, verifyJson, verifyText } from "../render/verify.ts";

export const command: Command = {
  usage: "verify RUN",
  describe:
    "Holds a run against every promise of its format: journal, snapshot, records, artifacts, claims, requests. Exit code 5 if one is broken.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    repair: {
      kind: "flag",
      describe: "write again what the journal is enough for, move aside what has no place; deletes nothing",
    },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf verify latest", "what is wrong with the newest run, and what to do about it"],
    ["wf verify k3f9 --repair", "rebuild run.json and the attempts' records from the journal"],
    ["wf verify latest --json | jq -r '.findings[].path'", "the files that are concerned"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const name = nameOf(path, runsDir);
    const json = args.flag("json");
    if (args.flag("repair")) return await repair(path, name, json);
    const verified = await verifyRun(path);
    if (verified.kind === "legacy") {
      if (json) printJson(legacyVerifyJson(verified));
      else print(legacyVerifyText(verified));
      return ExitCode.ok;
    }
    if (json) printJson(verifyJson(verified, null));
    else print(verifyText(verified, name, null));
    return isDamaged(verified.findings) ? ExitCode.damaged : ExitCode.ok;
  },
};

async function repair(path: string, name: string, json: boolean): Promise<number> {
  const { repairRun } = await import("../../review/verify-repair.ts");
  const { repaired, verified } = await repairRun(path, (owner, ms) =>
    printDiagnostic(
      `process ${owner.pid} on ${owner.host} may still drive it; taking over if it is silent for ${ms / 1000} s`,
    ),
  );
  if (json) printJson(verifyJson(verified, repaired));
  else print(verifyText(verified, name, repaired));
  return isDamaged(verified.findings) ? ExitCode.damaged : ExitCode.ok;
}
