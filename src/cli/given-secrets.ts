import { isJsonObject } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { type CurrentView, definitionOf } from "../review/view.ts";
import { secretsFromArguments } from "../secrets/arguments.ts";
import type { Args, Option } from "./command.ts";

export const SECRET_OPTION: Option = {
  kind: "list",
  value: "K=@F",
  describe: "a secret input from a file, K=@- for standard input (else $WF_SECRET_<NAME>)",
};

/** What `--secret` names, read; as a part of a request. Raises USAGE and what the files raise. */
export function givenSecrets(args: Args): { secrets?: Readonly<Record<string, string>> } {
  const given = args.list("secret");
  if (given.length === 0) return {};
  const fromStdin = [...given, ...args.list("input")].filter((text) => /^[^=]+=@-$/.test(text)).length;
  if (fromStdin + (args.text("input-file") === "-" ? 1 : 0) > 1)
    throw new WfError({ code: "USAGE", message: "standard input can be the value of one input only" });
  return { secrets: secretsFromArguments(given) };
}

/**
 * Whoever writes a request and then resumes the run asks for its secrets first, so that nothing is written if they are
 * not there. Raises SECRET_MISSING and what else is wrong with them.
 */
export async function requireSecrets(
  { runDir, record }: CurrentView,
  given: Readonly<Record<string, string>> | undefined,
): Promise<void> {
  const { inputs, workflow } = record;
  const isSecret = Object.values(inputs).some((value) => isJsonObject(value) && "$secret" in value);
  if (!isSecret && given === undefined) return;
  const { secretsAgain } = await import("../secrets/supply.ts");
  secretsAgain(await definitionOf(runDir, workflow), inputs, given, process.env);
}
