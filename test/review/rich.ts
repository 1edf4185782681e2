/* A run that has a file of every kind. */
import type { Rig } from "../cli/rig.ts";

export const RICH = `id: rich
inputs: { version: { type: string, default: '1.0' } }
providers:
  echo: { command: [cat], output: text }
agents:
  own: { provider: echo }
steps:
  - id: make
    output_files: { plan: plan.txt, deep: in/deep.txt }
    run: |
      echo planned
      echo warned >&2
      echo "plan {{inputs.version}}" > "$WF_OUTPUT_PLAN"
      echo deep > "$WF_OUTPUT_DEEP"
      echo "answer=42" >> "$WF_OUTPUT"
  - id: flaky
    retry: { max: 2, delay: 1ms }
    run: test "$WF_ATTEMPT" = 2
  - id: skipped
    when: inputs.version == "2.0"
    run: echo never
  - id: ask
    agent: own
    prompt_file: prompts/ask.md
    outputs: { verdict: { type: integer } }
  - id: sign_off
    type: approval
    message: 'Publish {{steps.make.outputs.plan}}?'
    on_reject: make
  - id: publish
    run: echo done
outputs: { answer: '{{steps.make.outputs.answer}}' }
`;

/** Runs it to its gate. */
export async function makeWaiting(rig: Rig, id = "r"): Promise<string> {
  rig.write("rich.yaml", RICH);
  rig.write("prompts/ask.md", 'Answer. [workflow_result]{"verdict": 1}[/workflow_result]\n');
  const waits = await rig.wf(["run", "rich.yaml", "--run-id", id]);
  if (waits.code !== 3) throw new Error(`it does not wait: ${waits.stdout}${waits.stderr}`);
  return rig.path(".wf/runs", id);
}

/** And past it. */
export async function makeRich(rig: Rig, id = "r"): Promise<string> {
  const run = await makeWaiting(rig, id);
  const ends = await rig.wf(["approve", id, "--comment", "fine", "--resume"]);
  if (ends.code !== 0) throw new Error(`it did not end well: ${ends.stdout}${ends.stderr}`);
  return run;
}
