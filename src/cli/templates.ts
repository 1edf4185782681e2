/** What `wf init` writes: workflows that run as they are, in any folder. */
export const TEMPLATES: Readonly<Record<string, string>> = {
  sequence: `# A sequence: one step after the other, in the order of this file.
#   wf validate FILE     checks it
#   wf run FILE          runs it; each run is a folder under .wf/runs
id: hello
description: Greets somebody, and keeps the greeting

# Values that a run is given: wf run FILE --input name=Ada
inputs:
  name: { type: string, default: world, description: Whom to greet }
  loud: { type: boolean, default: false }

steps:
  - id: greet
    # A value never becomes shell code: the template below is a reference to a variable that holds it.
    run: |
      echo "Hello, {{inputs.name}}!" > "$WF_OUTPUT_GREETING"
    # What the step leaves for others. The file is written where $WF_OUTPUT_GREETING says.
    output_files: { greeting: greeting.txt }

  - id: shout
    # Skipped unless the condition holds.
    when: inputs.loud
    run: tr '[:lower:]' '[:upper:]' < "{{steps.greet.outputs.greeting}}"
    # Two more attempts after a failure, the first after a second, the next after two.
    retry: { max: 2, delay: 1s, backoff: 2 }
    timeout: 1m

  - id: tell
    run: cat "{{steps.greet.outputs.greeting}}"
`,
  graph: `# A graph: a step starts as soon as what it needs is done; what does not depend on each other runs at once.
#   wf validate FILE     checks it
#   wf run FILE          runs it; each run is a folder under .wf/runs
id: checks
description: Looks at the files of this folder from two sides, then sums up

limits:
  max_parallel: 4

steps:
  - id: list
    # Every step of a graph says what it needs, even if that is nothing.
    needs: []
    run: ls > "$WF_OUTPUT_FILES"
    output_files: { files: files.txt }

  - id: count
    needs: [list]
    # A value for other steps: a line name=value in the file that $WF_OUTPUT names.
    run: echo "number=$(wc -l < "{{steps.list.outputs.files}}" | tr -d ' ')" >> "$WF_OUTPUT"
    outputs: [number]

  - id: longest
    needs: [list]
    run: awk '{ print length($0) }' "{{steps.list.outputs.files}}" | sort -n | tail -n 1
    # The run goes on if this fails.
    allow_failure: true

  - id: report
    needs: [count, longest]
    run: echo "This folder holds {{steps.count.outputs.number}} files."

# What the run as a whole has to say; wf status shows it.
outputs:
  number: "{{steps.count.outputs.number}}"
`,
};
