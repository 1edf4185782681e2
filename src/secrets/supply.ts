import { secretVariable } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { MAX_SECRETS_BYTES } from "../core/limits.ts";
import { type Problem, WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { resolveSecrets } from "../language/secrets.ts";
import { Secrets } from "./secrets.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The values of secret inputs as they were given: by name, else by `WF_SECRET_<NAME>`. Nothing is checked. */
export function gatherSecrets(
  workflow: Pick<Workflow, "inputs">,
  given: Readonly<Record<string, string>> | undefined,
  env: Environment,
): ReadonlyMap<string, string> {
  const values = new Map(Object.entries(given ?? {}));
  for (const { name, secret } of workflow.inputs) {
    // An empty variable is what a CI system makes of a secret that it does not have.
    const value = env[secretVariable(name)] || undefined;
    if (secret && value !== undefined && !values.has(name)) values.set(name, value);
  }
  return values;
}

/** Values that were checked against the workflow. Raises INPUT_INVALID for what can not reach a step. */
export function acceptSecrets(values: ReadonlyMap<string, string>): Secrets {
  const problems: Problem[] = [];
  let bytes = 0;
  for (const [name, value] of values) {
    bytes += Buffer.byteLength(value);
    if (!value.includes("\0")) continue;
    const message = `the secret "${name}" holds a NUL character, which no environment can hold`;
    problems.push({ code: "INPUT_INVALID", message });
  }
  if (bytes > MAX_SECRETS_BYTES) {
    problems.push({
      code: "INPUT_INVALID",
      message: `the secrets hold ${bytes} bytes together; at most ${MAX_SECRETS_BYTES} are allowed`,
      hint: "give the path of a file as an ordinary input instead",
    });
  }
  raise(problems);
  return new Secrets(values);
}

/**
 * The secrets of a run that exists: those that it was given when it was created, no more and no fewer. Raises
 * SECRET_MISSING and what else is wrong with them.
 *
 * @param recorded the run's inputs
 */
export function secretsAgain(
  workflow: Pick<Workflow, "inputs">,
  recorded: Readonly<Record<string, Json>>,
  given: Readonly<Record<string, string>> | undefined,
  env: Environment,
): Secrets {
  const secret = workflow.inputs.filter((input) => input.secret);
  const needed = secret.filter(({ name }) => (recorded[name] ?? null) !== null);
  const values = new Map(gatherSecrets(workflow, given, env));
  for (const { name } of secret) if (!needed.some((input) => input.name === name)) values.delete(name);
  const problems: Problem[] = [];
  const inputs = needed.map((input) => ({ ...input, optional: false }));
  resolveSecrets({ inputs }, new Map(), values, (code, message, _, hint) => {
    problems.push({ code, message, ...(hint !== undefined && { hint }) });
  });
  raise(problems);
  return acceptSecrets(values);
}

function raise([first, ...rest]: readonly Problem[]): void {
  if (first) throw new WfError([first, ...rest]);
}
