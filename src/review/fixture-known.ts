import { isJsonObject } from "../core/json.ts";
import { NO_SECRETS, Secrets } from "../secrets/secrets.ts";
import { gatherSecrets } from "../secrets/supply.ts";
import { definitionOf, viewRun } from "./view.ts";

/**
 * The values of a run's secrets, as far as they are given or in the environment: no record has them. For looking for
 * them only, so none has to be there.
 */
export async function secretsFor(
  path: string,
  given: Readonly<Record<string, string>> | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Secrets> {
  const view = await viewRun(path);
  if (view.kind === "legacy") return NO_SECRETS;
  const { inputs, workflow } = view.record;
  const isSecret = Object.values(inputs).some((value) => isJsonObject(value) && "$secret" in value);
  if (!isSecret && given === undefined) return NO_SECRETS;
  return new Secrets(gatherSecrets(await definitionOf(view.runDir, workflow), given, env));
}
