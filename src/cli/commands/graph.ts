import { statSync } from "node:fs";
import { ExitCode, WfError } from "../../core/problem.ts";
import type { Workflow } from "../../core/workflow.ts";
import { drawnOf } from "../../review/drawn.ts";
import { type Drawn, pictureOf } from "../../review/picture.ts";
import { definitionOf, viewRun } from "../../review/view.ts";
import { type Args, type Command, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { nestedNamed } from "../nested-named.ts";
import { write } from "../output.ts";
import { LEGACY_WHY } from "../render/legacy.ts";

export const command: Command = {
  usage: "graph FILE|RUN [PART]",
  describe:
    "Draws a workflow, or a run of it with each step coloured by its status: as Mermaid, which code hosts show, or for Graphviz.",
  positionals: {
    "FILE|RUN": "a workflow file; or a run: its path, its id, a unique part of its id, or `latest`",
    PART: "of a file that holds several workflows the id of one; of a run a step that runs a workflow",
  },
  options: {
    format: {
      kind: "value",
      value: "F",
      choices: ["mermaid", "dot"],
      describe: "mermaid (the default), or dot for Graphviz",
    },
    "runs-dir": RUNS_DIR_OPTION,
  },
  examples: [
    ["wf graph release.yaml", "the workflow"],
    ["wf graph latest", "how far the newest run has come, and by which way"],
    ["wf graph latest deploy/item-3", "the run nested in one item of deploy"],
    ["wf graph release.yaml --format dot | dot -Tsvg > release.svg", "as a picture"],
  ],
  async run(args: Args): Promise<number> {
    const what = args.required("FILE");
    const part = args.text("PART");
    const { workflow, drawn } = isFile(what)
      ? { workflow: await workflowIn(what, part), drawn: null }
      : await runNamed(what, part, findRunsDir(args.text("runs-dir")));
    const picture = pictureOf(workflow, { drawn, ways: "possible" });
    if (args.text("format") === "dot") {
      const { dot } = await import("../../review/picture-dot.ts");
      write(dot(picture, workflow.id));
    } else {
      const { mermaid } = await import("../../review/picture-mermaid.ts");
      write(mermaid(picture));
    }
    return ExitCode.ok;
  },
};

/** Or is meant to be one. */
function isFile(path: string): boolean {
  if (/\.ya?ml$/.test(path)) return true;
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function workflowIn(path: string, id: string | undefined): Promise<Workflow> {
  const { loadFile } = await import("../../engine/load.ts");
  return loadFile(path, id).workflow;
}

async function runNamed(
  name: string,
  part: string | undefined,
  runsDir: string,
): Promise<{ workflow: Workflow; drawn: Drawn }> {
  const found = await viewRun(findRun(name, runsDir).path);
  if (found.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `run ${found.record.runId} can not be drawn: ${LEGACY_WHY}`,
    });
  }
  const view = part === undefined ? found : await nestedNamed(found, part, nameOf(found.runDir, runsDir));
  const workflow = view.folded?.state.workflow ?? (await definitionOf(view.runDir, view.record.workflow));
  return { workflow, drawn: await drawnOf(view, workflow) };
}
