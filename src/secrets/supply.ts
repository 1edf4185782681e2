import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { secretVariable } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { valueFaults } from "../core/json-schema.ts";
import { MAX_SECRETS_BYTES } from "../core/limits.ts";
import { type Problem, WfError } from "../core/problem.ts";
import type { InputDeclaration, Workflow } from "../core/workflow.ts";
import { MIN_SECRET_CHARACTERS } from "./forms.ts";
import { Secrets } from "./secrets.ts";

/** What stands for a secret in every record. */
export interface SecretMark {
  readonly $secret: string;
}

/**
 * The values of a workflow's secret inputs: those given by name, else `WF_SECRET_<NAME>`. Raises all that is wrong:
 * SECRET_MISSING, SECRET_TOO_SHORT, INPUT_UNKNOWN, INPUT_INVALID. No message holds a value.
 *
 * @param recorded the run's inputs, if it exists already: only a secret that it was given is asked for again
 */
export function collectSecrets(
  workflow: Pick<Workflow, "inputs">,
  given: Readonly<Record<string, string>> | undefined,
  env: Readonly<Record<string, string | undefined>>,
  recorded?: Readonly<Record<string, Json>>,
): Secrets {
  const problems: Problem[] = [];
  const values = new Map<string, string>();
  const declared = workflow.inputs.filter(({ secret }) => secret);
  for (const name of Object.keys(given ?? {})) {
    if (declared.some((input) => input.name === name)) continue;
    problems.push({
      code: "INPUT_UNKNOWN",
      message: `the workflow has no secret input "${name}"`,
      hint: "a secret is declared with secret: true; other inputs are given with --input",
    });
  }
  for (const input of declared) {
    const { name } = input;
    const isNeeded = recorded === undefined ? !input.optional : (recorded[name] ?? null) !== null;
    if (recorded !== undefined && !isNeeded) continue;
    // An empty variable is what a CI system makes of a secret that it does not have.
    const value = given?.[name] ?? (env[secretVariable(name)] || undefined);
    if (value === undefined) {
      if (isNeeded) problems.push(missing(name, recorded !== undefined));
      continue;
    }
    const fault = faultOf(input, value);
    if (fault) problems.push(fault);
    else values.set(name, value);
  }
  const bytes = [...values.values()].reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  if (bytes > MAX_SECRETS_BYTES) {
    problems.push({
      code: "INPUT_INVALID",
      message: `the secrets hold ${bytes} bytes together; at most ${MAX_SECRETS_BYTES} are allowed`,
      hint: "give the path of a file as an ordinary input instead",
    });
  }
  const [first, ...rest] = problems;
  if (first) throw new WfError([first, ...rest]);
  return new Secrets(values);
}

/** What was given for the inputs that are not secret. Raises USAGE for a secret among them: it would be seen. */
export function openInputs<Given extends { readonly name: string }>(
  workflow: Pick<Workflow, "inputs">,
  given: readonly Given[],
): readonly Given[] {
  const secret = given.find(({ name }) => workflow.inputs.some((input) => input.secret && input.name === name));
  if (!secret) return given;
  throw new WfError({
    code: "USAGE",
    message: `the input "${secret.name}" is secret: it is not given as other inputs are`,
    hint: `set ${secretVariable(secret.name)}, or use --secret ${secret.name}=@file`,
  });
}

/** Every declared input, in order: the resolved ones, and a mark for each secret; null for one that was not given. */
export function withMarks(
  workflow: Pick<Workflow, "inputs">,
  resolved: Readonly<Record<string, Json>>,
  { values }: Secrets,
): Readonly<Record<string, Json>> {
  const mark = (name: string): Json => (values.has(name) ? { $secret: name } : null);
  return Object.fromEntries(
    workflow.inputs.map(({ name, secret }) => [name, secret ? mark(name) : (resolved[name] ?? null)]),
  );
}

/**
 * `name=@file`, `name=@-` for standard input; one newline at the end is cut. Raises USAGE, INPUT_REPEATED,
 * INPUT_INVALID, FILE_NOT_FOUND, FILE_UNREADABLE.
 */
export function secretsFromArguments(texts: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const text of texts) {
    const [, name, file] = /^([^=@]+)=@(.+)$/s.exec(text) ?? [];
    if (name === undefined || file === undefined) {
      const before = /^[^=]*/.exec(text)?.[0] ?? "";
      throw new WfError({
        code: "USAGE",
        // Whatever comes after may be the secret itself.
        message: `--secret ${before}${text.includes("=") ? "=…" : ""} is not of the form name=@file`,
        hint: `arguments can be read by everybody on the machine; use a file, or the variable ${secretVariable(before || "name")}`,
      });
    }
    if (Object.hasOwn(found, name)) {
      throw new WfError({ code: "INPUT_REPEATED", message: `the secret "${name}" is given more than once` });
    }
    found[name] = readSecret(name, file);
  }
  return found;
}

function readSecret(name: string, file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      throw new WfError({ code: "FILE_NOT_FOUND", message: `there is no file ${file}` });
    throw new WfError({ code: "FILE_UNREADABLE", message: `${file} can not be read: ${code}` });
  }
  if (!isUtf8(bytes)) throw new WfError(invalid(name, "is not UTF-8 text"));
  return bytes.toString("utf8").replace(/\r?\n$/, "");
}

function missing(name: string, again: boolean): Problem {
  return {
    code: "SECRET_MISSING",
    message: again
      ? `the secret "${name}" has to be given again: it is kept nowhere`
      : `the secret "${name}" is missing`,
    hint: `set ${secretVariable(name)}, or use --secret ${name}=@file`,
  };
}

function faultOf(input: InputDeclaration, value: string): Problem | null {
  const { name, schema } = input;
  if ([...value].length < MIN_SECRET_CHARACTERS) {
    return {
      code: "SECRET_TOO_SHORT",
      message: `the secret "${name}" has fewer than ${MIN_SECRET_CHARACTERS} characters`,
      hint: "one so short would be found everywhere in what steps print; use a longer one",
    };
  }
  if (value.includes("\0")) return invalid(name, "holds a NUL character, which no environment can hold");
  const faults = schema ? valueFaults(schema, value) : [];
  if (faults.length === 0) return null;
  const own = new Secrets(new Map([[name, value]]));
  return invalid(name, faults.map(({ message }) => own.maskText(message)).join(", "));
}

function invalid(name: string, what: string): Problem {
  return { code: "INPUT_INVALID", message: `the secret "${name}" ${what}` };
}
