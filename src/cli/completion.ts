import yargs from "yargs";
import { ExitCode } from "../core/problem.ts";
import { ENTRIES } from "./catalog.ts";
import { findRunsDir, listRuns } from "./find-run.ts";
import { configure } from "./parse.ts";

const MAX_RUNS = 50;

/** `wf completion`, and what its script asks for at each Tab. */
export async function complete(argv: readonly string[]): Promise<number> {
  const asked = argv.indexOf("--get-yargs-completions");
  if (asked < 0) {
    withAllCommands(yargs([])).showCompletionScript();
    return ExitCode.ok;
  }
  const words = argv.slice(asked + 1);
  const entry = ENTRIES.find(({ name }) => words.includes(name));
  let parser = withAllCommands(yargs([...argv]));
  if (entry !== undefined) parser = configure(parser, (await entry.load()).command, () => {});
  await parser.parseAsync();
  return ExitCode.ok;
}

function withAllCommands(parser: ReturnType<typeof yargs>): ReturnType<typeof yargs> {
  parser.scriptName("wf").detectLocale(false).exitProcess(false).version(false).help("help");
  for (const { usage, describe } of ENTRIES) parser.command(usage.split(" ")[0] as string, describe);
  const words = (given: { readonly _?: readonly unknown[] }) => (given._ ?? []).map(String);
  return parser.completion(
    "completion",
    false,
    (current: string, argv: object, fallback: () => void, done: (found: string[]) => void) => {
      const [, name, ...rest] = words(argv);
      const entry = ENTRIES.find((each) => each.name === name);
      const wantsRun = / \[?RUN\b/.test(entry?.usage ?? "") && rest.length <= 1;
      if (!wantsRun || current.startsWith("-")) return fallback();
      done(runIds(current));
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
