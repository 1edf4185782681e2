import type { Project, WfOptions } from "../rig/project.ts";

/** A graph in which each kind of noise occurs; `late` is first in the file, needs what comes after it, and is slow. */
export const NOISY = `id: noisy
description: Everything that differs from run to run and means nothing
redact: ['\\b\\d\\d:\\d\\d:\\d\\d\\b']
inputs:
  version: { type: string, default: "1.4.0" }
providers:
  robot: { command: [sh, -c, 'cat > /dev/null; echo "looked at $WF_RUN_DIR as $WF_RUN_ID"'], output: text }
agents:
  helper: { provider: robot, permissions: read }
steps:
  - id: late
    needs: [early, other]
    run: |
      echo "in $WF_RUN_DIR of $PWD, run $WF_RUN_ID, at $(date +%H:%M:%S)"
      echo "values: {{steps.early.outputs.note}} {{inputs.version}}"
  - id: early
    needs: []
    run: |
      sleep 0.$(( $(echo "$PACE" | cut -c1) ))
      printf '\\033[32m  0%%\\033[0m\\r 50%%\\rdone\\033[K\\n' >&2
      printf 'note=made in %s\\n' "$WF_RUN_DIR" >> "$WF_OUTPUT"
      printf 'report of %s\\n' "$WF_RUN_ID" > "$WF_OUTPUTS/report-$WF_RUN_ID.md"
      echo own > "$WF_OUTPUTS/$WF_RUN_ID.txt"
      printf 'a\\0b' > "$WF_OUTPUTS/image.bin"
      awk 'BEGIN { for (i = 0; i < 900; i++) printf "%0200d\\n", i }' > "$WF_OUTPUTS/long.txt"
    output_files: { report: 'report-{{workflow.run_id}}.md', own: '{{workflow.run_id}}.txt', image: image.bin, long: long.txt }
    outputs: [note]
  - id: other
    needs: []
    retry: { max: 1, delay: 1ms }
    run: |
      echo "temporary: \${TMPDIR:-/tmp}/x"
      test "$WF_ATTEMPT" = 2
  - id: think
    type: agent_task
    needs: [other]
    agent: helper
    prompt: 'Look at {{workflow.run_dir}} of {{workflow.run_id}}.'
  - id: sign_off
    type: approval
    needs: [late, think]
    message: 'Publish {{inputs.version}} of {{workflow.run_id}}? {{steps.early.outputs.report}}'
  - id: publish
    needs: [sign_off]
    when: inputs.version != "0.0.0"
    run: echo published
`;

/** The circumstances of a run, which mean nothing. */
export interface Circumstances {
  readonly id: string;
  readonly parallel: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs it to its end, a person's decision included; the run's folder. */
export async function runNoisy(project: Project, given: Circumstances, text = NOISY): Promise<string> {
  const file = project.write("flows/noisy.yaml", text);
  const options: WfOptions = { env: given.env };
  const args = ["run", file, "--run-id", given.id, "--max-parallel", given.parallel];
  const run = await project.wf(args, options);
  if (run.code !== 3) throw new Error(`wf run: ${run.code}\n${run.stdout}${run.stderr}`);
  const decided = await project.wf(
    ["approve", given.id, "--comment", `go, ${given.id}, at 12:34:56`, "--resume"],
    options,
  );
  if (decided.code !== 0) throw new Error(`wf approve: ${decided.code}\n${decided.stdout}${decided.stderr}`);
  return project.path(".wf/runs", given.id);
}

export const HERE: Circumstances = {
  id: "20261122-071630-noisy-k3f9",
  parallel: "1",
  env: { TZ: "Asia/Kathmandu", LANG: "C", LC_ALL: "C", USER: "ann", LOGNAME: "ann", PACE: "1" },
};

export const THERE: Circumstances = {
  id: "r-0042",
  parallel: "4",
  env: {
    TZ: "America/St_Johns",
    LANG: "tr_TR.UTF-8",
    LC_ALL: "tr_TR.UTF-8",
    USER: "bob",
    LOGNAME: "bob",
    PACE: "4",
  },
};
