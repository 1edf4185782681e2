import { join, resolve } from "node:path";
import { ExitCode, WfError } from "../../core/problem.ts";
import { suggest } from "../../language/did-you-mean.ts";
import type { Secrets } from "../../secrets/secrets.ts";
import { findProject } from "../../system/project.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { displayPath, findRun, findRunsDir } from "../find-run.ts";
import { givenSecrets, SECRET_OPTION } from "../given-secrets.ts";
import { print, printJson } from "../output.ts";
import {
  checkedJson,
  checkedText,
  isSound,
  listedJson,
  listedText,
  savedJson,
  savedText,
  updatedJson,
  updatedText,
} from "../render/fixture.ts";

const USAGES = {
  save: "fixture save RUN DIR",
  check: "fixture check DIR…",
  update: "fixture update DIR",
  list: "fixture list [DIR…]",
} as const;

export const command: Command = {
  usage: "fixture WHAT [ARGUMENT…]",
  describe:
    "Keeps runs as tests of their workflows: save writes a run that has ended into a folder to be committed, check holds fixtures against their digests and replays them (exit code 1 if something differs), update takes over changed scripts and prompts, list lists them.",
  positionals: {
    WHAT: "save, check, update or list",
    ARGUMENT:
      "save: a run, and a folder that is not there yet; check and update: fixtures; list: folders to look in",
  },
  options: {
    workflow: {
      kind: "value",
      value: "FILE",
      describe:
        "check, update: the present workflow file (else, for check the copy in the fixture, for update the file that was run)",
    },
    secret: {
      ...SECRET_OPTION,
      describe: "save: a secret of the run, K=@F, that must not be in it (else $WF_SECRET_<NAME>)",
    },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf fixture save latest fixtures/runs/release", "keep the newest run"],
    ["wf fixture check fixtures/runs/*", "a test, for CI"],
    ["wf fixture check fixtures/runs/release --workflow ci/release.yaml", "what an edit would change"],
    ["wf fixture update fixtures/runs/release", "it is meant: take over scripts and prompts"],
  ],
  async run(args: Args): Promise<number> {
    const what = args.required("WHAT");
    switch (what) {
      case "save":
        return await save(args);
      case "check":
        return await check(args);
      case "update":
        return await update(args);
      case "list":
        return await list(args);
      default:
        throw new WfError({
          code: "USAGE",
          message: `wf fixture can not ${JSON.stringify(what)}`,
          hint: suggest(what, Object.keys(USAGES), "it can"),
        });
    }
  },
};

async function save(args: Args): Promise<number> {
  const [run, dir] = exactly(args, "save", 2) as [string, string];
  refuseOption(args, "save", "workflow");
  const { path } = findRun(run, findRunsDir(args.text("runs-dir")));
  const { saveFixture } = await import("../../review/fixture.ts");
  const saved = await saveFixture(path, displayPath(path), resolve(dir), await secretsOf(path, args));
  if (args.flag("json")) printJson(savedJson(saved));
  else print(savedText(saved));
  return ExitCode.ok;
}

/** Those of the run as far as they are given; nobody has to have them at hand. */
async function secretsOf(path: string, args: Args): Promise<Secrets> {
  const [{ secrets: given }, { secretsFor }] = [
    givenSecrets(args),
    await import("../../review/fixture-known.ts"),
  ];
  return await secretsFor(path, given, process.env);
}

async function check(args: Args): Promise<number> {
  const folders = args.list("ARGUMENT");
  if (folders.length === 0) throw wrongUsage("check");
  const workflow = args.text("workflow");
  const { checkFixture } = await import("../../review/fixture.ts");
  const checked = [];
  for (const folder of folders)
    checked.push(await checkFixture(resolve(folder), displayPath(resolve(folder)), workflow));
  if (args.flag("json")) printJson(checkedJson(checked));
  else print(checkedText(checked));
  return checked.every(isSound) ? ExitCode.ok : ExitCode.failed;
}

async function update(args: Args): Promise<number> {
  const [dir] = exactly(args, "update", 1) as [string];
  if (process.env.CI && process.env.CI !== "false") {
    throw new WfError({
      code: "USAGE",
      message: "wf fixture update writes nothing under CI: a test would mend itself",
      hint: "update it where it can be looked at, and commit it",
    });
  }
  const { updateFixture } = await import("../../review/fixture-update.ts");
  const updated = await updateFixture(resolve(dir), displayPath(resolve(dir)), args.text("workflow"));
  if (args.flag("json")) printJson(updatedJson(updated));
  else print(updatedText(updated));
  return ExitCode.ok;
}

async function list(args: Args): Promise<number> {
  refuseOption(args, "list", "workflow");
  const given = args.list("ARGUMENT").map((folder) => resolve(folder));
  const folders = given.length > 0 ? given : [join(findProject(process.cwd()), "fixtures")];
  const { listFixtures } = await import("../../review/fixture-list.ts");
  const listed = folders.flatMap((folder) => listFixtures(folder));
  if (args.flag("json")) printJson(listedJson(listed));
  else print(listedText(listed, folders));
  return ExitCode.ok;
}

function exactly(args: Args, what: keyof typeof USAGES, count: number): readonly string[] {
  const given = args.list("ARGUMENT");
  if (given.length !== count || given.includes("")) throw wrongUsage(what);
  return given;
}

function wrongUsage(what: keyof typeof USAGES): WfError {
  return new WfError({
    code: "USAGE",
    message: `the usage is: wf ${USAGES[what]}`,
    hint: "wf fixture --help",
  });
}

function refuseOption(args: Args, what: string, option: string): void {
  if (args.text(option) === undefined) return;
  throw new WfError({ code: "USAGE", message: `wf fixture ${what} takes no --${option}` });
}
