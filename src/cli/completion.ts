import yargs from "yargs";
import { ExitCode } from "../core/problem.ts";
import { viewNested } from "../review/inside.ts";
import { type CurrentView, viewRun } from "../review/view.ts";
import { ENTRIES } from "./catalog.ts";
import { findRun, findRunsDir, listRuns } from "./find-run.ts";
import { attemptMeant, resolveName } from "./step-name.ts";
import { configure } from "./yargs.ts";

const MAX_RUNS = 50;
const MAX_NAMES = 200;

/** `wf completion`, and what its script asks for at each Tab. */
export async function complete(argv: readonly string[]): Promise<number> {
  const asked = argv.indexOf("--get-yargs-completions");
  if (asked < 0) {
    withAllCommands(yargs([])).showCompletionScript();
    return ExitCode.ok;
  }
  const words = argv.slice(asked + 1);
  const entry = ENTRIES.find(({ name }) => words.includes(name));
  let parser = withAllCommands(yargs([...argv]), await stepsAskedFor(entry?.usage ?? "", words));
  if (entry !== undefined) parser = configure(parser, (await entry.load()).command, () => {});
  await parser.parseAsync();
  return ExitCode.ok;
}

/** `steps`: what a step can be called, where one is asked for: it has to be known by the time the parser asks. */
function withAllCommands(
  parser: ReturnType<typeof yargs>,
  steps: readonly string[] | null = null,
): ReturnType<typeof yargs> {
  parser.scriptName("wf").detectLocale(false).exitProcess(false).version(false).help("help");
  for (const { usage, describe } of ENTRIES) parser.command(usage.split(" ")[0] as string, describe);
  const words = (given: { readonly _?: readonly unknown[] }) => (given._ ?? []).map(String);
  return parser.completion(
    "completion",
    false,
    (current: string, argv: object, fallback: () => void, done: (found: string[]) => void) => {
      const [, name, ...rest] = words(argv);
      const entry = ENTRIES.find((each) => each.name === name);
      const usage = entry?.usage ?? "";
      if (current.startsWith("-")) return fallback();
      if (/[ |]\[?RUN\b/.test(usage) && rest.length <= 1) return done(runIds(current));
      if (steps !== null) return done([...steps]);
      fallback();
    },
  );
}

function runIds(current: string): string[] {
  try {
    const ids = ["latest", ...listRuns(findRunsDir()).map(({ id }) => id)];
    return ids.filter((id) => id.includes(current)).slice(0, MAX_RUNS);
  } catch {
    return [];
  }
}

/** Null if it is not a step that is asked for: `words` are `wf`, the command, and what has been typed after it. */
async function stepsAskedFor(usage: string, words: readonly string[]): Promise<string[] | null> {
  const [, , run, current, ...more] = words;
  const isStep = / \[?(?:STEP|PART)\b/.test(usage) && more.length === 0;
  if (!isStep || run === undefined || current === undefined || /^-/.test(run + current)) return null;
  return stepNames(run, current);
}

/** Of the run, or of what the beginning of the name leads to. */
async function stepNames(run: string, current: string): Promise<string[]> {
  try {
    const view = await viewRun(findRun(run, findRunsDir()).path);
    if (view.kind === "legacy") return [];
    const slash = current.lastIndexOf("/");
    const names =
      slash < 0 ? Object.keys(view.record.steps) : await namesWithin(view, current.slice(0, slash));
    return names.filter((name) => name.startsWith(current)).slice(0, MAX_NAMES);
  } catch {
    return [];
  }
}

async function namesWithin(run: CurrentView, name: string): Promise<string[]> {
  const named = await resolveName(run, name);
  if (named.items) return named.items.map(({ item }) => `${name}/item-${item}`);
  const nested = await viewNested(named.view.runDir, attemptMeant(named));
  return Object.keys(nested?.record.steps ?? {}).map((step) => `${name}/${step}`);
}
