import { ExitCode, WfError } from "../core/problem.ts";
import { suggest } from "../language/did-you-mean.ts";
import { ENTRIES } from "./catalog.ts";
import { printDiagnostic, tolerateClosedStreams, write } from "./output.ts";
import { reportError } from "./render/error.ts";
import { overview } from "./render/help.ts";

/** Runs one command line; what it comes to is in `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  tolerateClosedStreams();
  // proper-lockfile's import turns Node's exit code 13 (nothing left to wait for) into 0.
  process.exitCode = ExitCode.internal;
  try {
    process.exitCode = await dispatch(argv);
  } catch (error) {
    process.exitCode = reportError(error, { json: argv.includes("--json") });
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [name] = argv;
  if (name === undefined) {
    printDiagnostic(overview());
    return ExitCode.usage;
  }
  if (name === "--help" || name === "-h") {
    write(`${overview()}\n`);
    return ExitCode.ok;
  }
  if (name === "--version")
    throw new WfError({ code: "USAGE", message: "--version takes nothing else beside it" });
  if (name === "completion" || argv.includes("--get-yargs-completions")) {
    const { complete } = await import("./completion.ts");
    return await complete(argv);
  }
  const entry = ENTRIES.find((each) => each.name === name);
  if (entry === undefined) throw noSuchCommand(name);
  const [{ command }, { parse }] = await Promise.all([entry.load(), import("./parse.ts")]);
  const args = await parse(command, argv);
  return args === null ? ExitCode.ok : await command.run(args);
}

function noSuchCommand(name: string): WfError {
  if (name.startsWith("-")) {
    return new WfError({
      code: "USAGE",
      message: `the command comes first: wf <command> ${name} …`,
      hint: "wf --help lists the commands",
    });
  }
  const names = [...ENTRIES.map((entry) => entry.name), "completion"];
  const begun = names.filter((each) => each.startsWith(name));
  const hint =
    begun.length === 1
      ? `did you mean "${begun[0]}"? wf --help lists the commands`
      : suggest(name, names, "commands");
  return new WfError({
    code: "USAGE",
    message: `there is no command "${name}"`,
    hint,
  });
}
