/** What the names in a text may refer to, by where the text stands. */
export interface View {
  /** Index of the step the text belongs to; absent at the top of the workflow. */
  readonly step?: number;
  readonly roots: readonly ("inputs" | "steps" | "workflow" | "env" | "state" | "item" | "item_index")[];
  /** The names under `workflow`. */
  readonly workflow: readonly string[];
  /** Keys with a file, for `workflow.output_paths`. */
  readonly outputFiles?: readonly string[];
  /** Why there are no others, and what to do. */
  readonly hint?: string;
  /** What to do about a name that only the workflow around this one has. */
  readonly outsideHint?: string;
  /** What the text is, if no secret may be named in it: people or models would see it, or a record would hold it. */
  readonly noSecrets?: string;
  /** Where the value of a secret can go instead. */
  readonly secretsHint?: string;
}

/** The step that a text belongs to. */
export interface StepPlace {
  readonly index: number;
  readonly isFinally: boolean;
  /** With `foreach`: it is done for an item. */
  readonly hasItem: boolean;
  /** Keys with a file. */
  readonly outputFiles: readonly string[];
}

const RUN_NAMES = ["run_id", "run_dir", "run_workspace"];
const STEP_NAMES = ["step_id", "attempt", "output_paths", "output_paths_json", "output_schema_json"];

/** Of a run that is about to end: what its `finally` steps see. */
export const END_NAMES = ["status", "reason"];

function ofStep(
  { index, isFinally, hasItem, outputFiles }: StepPlace,
  names = STEP_NAMES,
  more: View["roots"] = [],
): View {
  return {
    step: index,
    outputFiles,
    roots: ["inputs", "steps", "workflow", ...more, ...(hasItem ? (["item", "item_index"] as const) : [])],
    workflow: [...RUN_NAMES, ...names, ...(isFinally ? END_NAMES : [])],
  };
}

export const VIEWS = {
  step: (place: StepPlace): View => ofStep(place),
  cwd: (place: StepPlace): View => ({ noSecrets: "`cwd`", ...ofStep(place) }),
  when: (place: StepPlace): View => ({
    noSecrets: "`when`",
    ...ofStep(place, ["step_id"], ["env"]),
  }),
  prompt: (place: StepPlace): View => ({
    noSecrets: "a prompt",
    ...ofStep(place, STEP_NAMES, ["state"]),
  }),
  /** The list itself: it is read before there is an attempt. */
  foreach: (step: number): View => ({
    step,
    roots: ["inputs", "steps"],
    workflow: [],
    noSecrets: "`foreach`",
  }),
  with: (place: StepPlace): View => ({
    ...ofStep(place),
    noSecrets: "the value of an input that is not secret",
    secretsHint: "declare that input with `secret: true`, and give it the secret alone",
  }),
  message: (place: StepPlace): View => ({
    noSecrets: "the message of an approval",
    ...ofStep(place, ["step_id", "attempt"]),
  }),
  outputPath: {
    roots: ["workflow"],
    workflow: ["run_id", "step_id", "attempt"],
    hint: "a path may use workflow.run_id, workflow.step_id and workflow.attempt",
    noSecrets: "the path of an output",
  } as View,
  workflowEnv: {
    roots: ["inputs", "workflow"],
    workflow: [...RUN_NAMES, "step_id", "attempt"],
    hint: "put what depends on a step in the `env` of the step that needs it",
  } as View,
  /** Of an agent around a workflow that is written in a step. */
  sharedAgentEnv: (agent: string): View => ({
    roots: ["inputs", "workflow"],
    workflow: [...RUN_NAMES, "step_id", "attempt"],
    outsideHint: `a workflow in a step calls this agent: it needs an input of this name, or an agent "${agent}" of its own`,
  }),
  workflowOutput: {
    roots: ["inputs", "steps", "workflow"],
    workflow: RUN_NAMES,
    noSecrets: "the outputs of a run",
  } as View,
} as const;
