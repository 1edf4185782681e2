import { secretVariable } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { valueFaults } from "../core/json-schema.ts";
import type { InputDeclaration, Workflow } from "../core/workflow.ts";
import { suggest } from "./did-you-mean.ts";
import type { AddProblem, GivenInput } from "./inputs.ts";

/** A shorter one would be found in harmless text, and hidden there. */
const LEAST_CHARACTERS = 8;

/**
 * What stands for each secret among the inputs: `{"$secret": name}`, or null for an optional one that was not given.
 * No problem shows a value, also not one that came by the wrong way.
 */
export function resolveSecrets(
  workflow: Pick<Workflow, "inputs">,
  given: ReadonlyMap<string, GivenInput>,
  secrets: ReadonlyMap<string, string>,
  add: AddProblem,
): Record<string, Json> {
  const declared = workflow.inputs.filter((input) => input.secret);
  for (const name of secrets.keys()) {
    if (declared.some((input) => input.name === name)) continue;
    if (workflow.inputs.some((input) => input.name === name)) {
      const hint = "give it by `--input`, or declare it with `secret: true`";
      add("INPUT_INVALID", `the input "${name}" is not a secret`, undefined, hint);
    } else {
      const names = declared.map((input) => input.name);
      const hint = suggest(name, names, "secrets of this workflow");
      add("INPUT_UNKNOWN", `the workflow has no secret "${name}"`, undefined, hint);
    }
  }
  const found: Record<string, Json> = {};
  for (const input of declared) {
    const wrong = given.get(input.name);
    const value = secrets.get(input.name);
    if (wrong) refuse(input, wrong, add);
    else if (value !== undefined && check(input, value, add)) found[input.name] = { $secret: input.name };
    else if (value === undefined && input.optional) found[input.name] = null;
    else if (value === undefined)
      add("SECRET_MISSING", `the secret "${input.name}" is missing`, undefined, waysFor(input));
  }
  return found;
}

/** The line it stands in is not shown: it holds the value. */
function refuse(input: InputDeclaration, { excerpt: _, ...from }: GivenInput, add: AddProblem): void {
  const way = from.from === "argument" ? "`--input`" : "a file of inputs";
  const message = `the input "${input.name}" is a secret, and can not come by ${way}`;
  add("INPUT_INVALID", message, from, waysFor(input));
}

function check(input: InputDeclaration, value: string, add: AddProblem): boolean {
  if ([...value].length < LEAST_CHARACTERS) {
    const message = `the secret "${input.name}" is shorter than ${LEAST_CHARACTERS} characters`;
    add(
      "SECRET_TOO_SHORT",
      message,
      undefined,
      "so short a text would be hidden in output where it means nothing",
    );
    return false;
  }
  const faults = input.schema ? valueFaults(input.schema, value) : [];
  for (const { message } of faults)
    add("INPUT_INVALID", `the secret "${input.name}" ${message}`, undefined, input.description);
  return faults.length === 0;
}

function waysFor({ name, description }: InputDeclaration): string {
  const ways = `set ${secretVariable(name)}, or give \`--secret ${name}=@file\``;
  return description === undefined ? ways : `${ways}; ${name}: ${description}`;
}
