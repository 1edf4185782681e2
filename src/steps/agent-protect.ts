import { dirname, join, relative, sep } from "node:path";
import { ATTEMPT_FILES, RUN_FILES } from "../store/layout.ts";
import type { Places } from "./scope.ts";

/** What of an attempt's folder belongs to the step itself. */
const OWN: ReadonlySet<string> = new Set([
  ATTEMPT_FILES.outputs,
  ATTEMPT_FILES.output,
  ATTEMPT_FILES.summary,
  ATTEMPT_FILES.work,
]);

/**
 * What of `.wf/` an agent must not write: the records of all runs, and all that is no run. Absolute patterns in the
 * grammar of `.gitignore`, without negation, which clients do not all know.
 */
export function protectedPatterns({ runDir, project }: Pick<Places, "runDir" | "project">): string[] {
  const runs = dirname(runDir);
  const run = `${literal(runs)}/*`;
  const { snapshot, journal, definition, control, lock, prompts, steps } = RUN_FILES;
  const records = Object.values(ATTEMPT_FILES).filter((name) => !OWN.has(name));
  return [
    ...restOf(join(project, ".wf"), runs),
    ...[snapshot, `${journal}*`, definition].map((name) => `${run}/${name}`),
    ...[control, lock, prompts].map((name) => `${run}/${name}/**`),
    ...records.map((name) => `${run}/${steps}/*/attempt-*/${name}`),
  ];
}

/** All in a folder but what leads to another place. */
function restOf(folder: string, place: string): string[] {
  const way = relative(folder, place);
  if (way === "") return [];
  const [name = ""] = way.split(sep);
  if (name === "..") return [`${literal(folder)}/**`];
  return [
    ...othersThan(name).map((pattern) => `${literal(folder)}/${pattern}`),
    ...restOf(join(folder, name), place),
  ];
}

/**
 * Patterns of the names that are not `name`, but for those that begin it. Classes list what they match: clients read
 * `[!…]` differently, and a range over capital letters as one over small letters, too.
 */
function othersThan(name: string): string[] {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  const others = [...name].map((letter, i) => {
    return `${literal(name.slice(0, i))}[${letters.replace(letter.toLowerCase(), "")}]*`;
  });
  return [...others, `${literal(name)}[${letters}]*`];
}

function literal(path: string): string {
  return path.replace(/[\\*?[\]!#]/g, "\\$&");
}
