/* A run with items, and with runs that are nested in it, one of them in another. */

/** What of a project a scenario needs. */
interface Place {
  write(name: string, text: string): string;
  path(...names: string[]): string;
  wf(
    args: readonly string[],
    options?: { env?: Record<string, string> },
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

export const SHIP = `id: ship
description: Builds, checks each service, ships to each region, tells
redact: ['took \\d+ ns']
inputs:
  version: { type: string, default: "1.4.0" }
steps:
  - id: build
    run: |
      echo 'services=["api","web","db"]' >> "$WF_OUTPUT"
      echo "bundle of $WF_RUN_ID" > "$WF_OUTPUT_BUNDLE"
    output_files: { bundle: bundle.txt }
    outputs: { services: { type: array } }
  - id: check
    foreach: '{{steps.build.outputs.services}}'
    when: item != "db"
    retry: { max: 1, delay: 1ms }
    run: |
      echo "checks {{item}}, number {{item_index}}, in $WF_ATTEMPT_DIR"
      echo "fine, says $WF_RUN_ID of {{item}}" > "$WF_OUTPUT_REPORT"
      echo "length=\${#WF_V_ITEM}" >> "$WF_OUTPUT"
      case "{{item}}$WF_ATTEMPT" in api*) sleep 0.\${PACE:-1};; web1) exit 1;; esac
    output_files: { report: report.txt }
    outputs: { length: { type: integer } }
  - id: deploy
    foreach: [eu, us]
    workflow: flows/region.yaml
    with: { region: '{{item}}', bundle: '{{steps.build.outputs.bundle}}' }
  - id: tell
    workflow:
      inputs: [version]
      steps:
        - id: ask
          type: approval
          message: 'Tell of {{inputs.version}} in {{workflow.run_id}}?'
        - id: say
          run: echo "{{inputs.version}} is out, took $(date +%N) ns"
    with: { version: '{{inputs.version}}' }
outputs:
  logs: '{{steps.deploy.outputs.log}}'
  urls: '{{steps.deploy.outputs.url}}'
`;

/** `push` and `probe` run at the same time; in `us` it goes deeper. */
export const REGION = `id: region
redact: ['t=\\d+']
inputs:
  region: { type: string }
  bundle: { type: string }
steps:
  - id: push
    needs: []
    run: |
      [ "{{inputs.region}}" = eu ] || sleep 0.\${PACE:-1}
      cat "{{inputs.bundle}}"
      echo "to {{inputs.region}} from $WF_RUN_DIR as $WF_RUN_ID t=$(date +%s%N)"
      echo "log of $WF_RUN_ID" > "$WF_OUTPUT_LOG"
    output_files: { log: log.txt }
  - id: probe
    needs: []
    foreach: [1, 2]
    run: echo "probe {{item}} of {{inputs.region}}"
  - id: note
    needs: [push, probe]
    when: inputs.region == "us"
    workflow: note.yaml
    with: { text: 'shipped to {{inputs.region}} by {{workflow.run_id}}' }
outputs:
  url: 'https://{{inputs.region}}.example'
  log: '{{steps.push.outputs.log}}'
`;

export const NOTE = `id: note
inputs: { text: { type: string } }
steps:
  - id: write
    run: echo "{{inputs.text}}" > "$WF_OUTPUT_NOTE"
    output_files: { note: note.txt }
`;

export interface Told {
  readonly id: string;
  readonly parallel?: string;
  readonly pace?: string;
}

export function writeShip(place: Place, change: (text: string) => string = (text) => text): string {
  place.write("flows/flows/region.yaml", change(REGION));
  place.write("flows/flows/note.yaml", change(NOTE));
  return place.write("flows/ship.yaml", change(SHIP));
}

/** Runs it to the gate in `tell`; the run's folder. */
export async function shipToGate(place: Place, { id, parallel = "4", pace = "1" }: Told): Promise<string> {
  const file = writeShip(place);
  const args = ["run", file, "--run-id", id, "--max-parallel", parallel];
  const waits = await place.wf(args, { env: { PACE: pace } });
  if (waits.code !== 3) throw new Error(`it does not wait: ${waits.stdout}${waits.stderr}`);
  return place.path(".wf/runs", id);
}

/** And past it, to its end. */
export async function ship(place: Place, told: Told): Promise<string> {
  const run = await shipToGate(place, told);
  const approved = await place.wf(["approve", run, "tell/ask", "--comment", `tell, ${told.id}`]);
  if (approved.code !== 0) throw new Error(`wf approve: ${approved.stdout}${approved.stderr}`);
  const ended = await place.wf(["resume", run]);
  if (ended.code !== 0) throw new Error(`it did not end well: ${ended.stdout}${ended.stderr}`);
  return run;
}
