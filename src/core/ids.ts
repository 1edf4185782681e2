/** Ids of workflows and steps; folder names, so nothing that a file system could take amiss. */
export const ID_PATTERN = /^[a-z][a-z0-9_-]{0,63}$/;

/** Names of inputs and of outputs. */
export const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Names of environment variables. */
export const VARIABLE_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** One attempt; `item` counts from 0, and is there for a step with `foreach`. */
export interface AttemptName extends PlaceName {
  readonly attempt: number;
}

export interface PlaceName {
  readonly step: string;
  readonly item?: number | undefined;
}

/** A step, or one item of it, as it is called everywhere: `publish`, `publish/item-3`. */
export function placeName({ step, item }: PlaceName): string {
  return item === undefined ? step : `${step}/item-${item}`;
}

/** The same for a step of a nested run, by the steps that hold it: `deploy/item-3/test`; `within` may be empty. */
export function nameWithin(within: string, place: PlaceName): string {
  return within === "" ? placeName(place) : `${within}/${placeName(place)}`;
}

/** A nested run's id begins with that of the run around it, and its last part names the attempt that it is. */
export function nestedRunId(outer: string, { attempt, ...place }: AttemptName): string {
  return `${outer}.${placeName(place).replace("/item-", "-")}-${attempt}`;
}

/** The id of a run and of those around it; `depth`: how many these are. */
export function idsAround(runId: string, depth: number): string[] {
  const ids = [runId];
  for (let left = depth; left > 0; left -= 1) {
    const inner = ids.at(-1) as string;
    ids.push(inner.slice(0, inner.lastIndexOf(".")));
  }
  return ids;
}

/** Whether a `WF_ATTEMPT_ID` is that of a step of one of these runs; it names the runs around the step's own, too. */
export function isOfStep(cookie: string | undefined, runIds: readonly string[]): boolean {
  const names = cookie?.split(",") ?? [];
  return names.some((name) => runIds.some((id) => name.startsWith(`${id}/`)));
}

const MAX_LENGTH = 64;

/** What is wrong with an id, as the end of a sentence; null if nothing is. */
export function idFault(id: string): string | null {
  if (ID_PATTERN.test(id)) return null;
  return fault(id, /^[a-z]/, /^[a-z0-9_-]*$/, "a lower-case letter", "lower-case letters, digits, _ and -");
}

/** The same for the name of an input or output. */
export function nameFault(name: string): string | null {
  if (NAME_PATTERN.test(name)) return null;
  return fault(name, /^[A-Za-z]/, /^[A-Za-z0-9_-]*$/, "a letter", "letters, digits, _ and -");
}

function fault(text: string, start: RegExp, all: RegExp, first: string, rest: string): string {
  if (text === "") return "is empty";
  if (!start.test(text)) return `must begin with ${first}`;
  if (!all.test(text)) return `may hold only ${rest}`;
  return `is ${text.length} characters long; at most ${MAX_LENGTH} are allowed`;
}

/** The variable of the environment that a secret can come from. */
export function secretVariable(name: string): string {
  return variableName("WF_SECRET", [name]);
}

/** `("WF_V", ["inputs", "a-b"])` → `WF_V_INPUTS_A_B`. */
export function variableName(prefix: string, segments: readonly string[]): string {
  return `${prefix}_${segments
    .join("_")
    .toUpperCase()
    .replace(/[^A-Z0-9_]/g, "_")}`;
}
