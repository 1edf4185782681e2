import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "./rig.ts";

test("under GitHub Actions attempts are groups, failures annotations, and steps can not command the runner", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "g.yaml",
    "id: g\nsteps:\n  - { id: a, run: 'echo ::set-env name=X::1' }\n  - id: b\n    run: exit 3\n",
  );
  const env = { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: rig.path("summary.md") };
  const { stdout } = await rig.wf(["run", "g.yaml", "--run-id", "r"], { env });
  const tokens = [...stdout.matchAll(/^::stop-commands::([0-9a-f]{32})$/gm)].map(
    ([, token]) => token as string,
  );
  let plain = rig.plain(stdout);
  for (const token of tokens) plain = plain.replaceAll(token, "<token>");
  assert.equal(new Set(tokens).size, tokens.length);
  assert.equal(
    plain,
    `run r in .wf/runs/r
<time> r a/1 started
::group::a/1 succeeded in <took>
::stop-commands::<token>
::set-env name=X::1
::<token>::
::endgroup::
<time> r b/1 started
::group::b/1 failed in <took>: exit status 3
::endgroup::
<time> r run failed

::stop-commands::<token>
b failed on attempt 1: exit status 3   [EXIT_STATUS]
  hint: see stderr.log
::<token>::

::stop-commands::<token>
run r failed after <took>: b failed on attempt 1: exit status 3
  folder:  .wf/runs/r
  look:    wf show r b
  resume:  wf resume r
::<token>::
::error file=g.yaml,line=4,title=wf%3A g::b failed on attempt 1: exit status 3
`,
  );
  assert.equal(
    rig.plain(rig.read("summary.md")),
    `### g: failed

Run \`r\`, <took>; b failed on attempt 1: exit status 3

| step | status | attempts | |
|---|---|---|---|
| a | succeeded | 1 |  |
| b | failed | 1 | exit status 3 |

`,
  );
});

test("of nested runs the groups bear whole names, the annotation points into their file, and the table has their rows", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "outer.yaml",
    "id: outer\nsteps:\n  - { id: a, run: echo a }\n  - { id: deploy, workflow: ci/inner.yaml }\n",
  );
  rig.write(
    "ci/inner.yaml",
    `id: inner
steps:
  - id: each
    foreach: [x, y, z]
    run: |
      echo {{item}}
      test {{item}} != y
limits: { max_parallel: 1 }
`,
  );
  const env = { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: rig.path("summary.md") };
  const { code, stdout } = await rig.wf(["run", "outer.yaml", "--run-id", "r"], { env });
  assert.equal(code, 1);
  const marks = rig
    .plain(stdout)
    .split("\n")
    .filter((line) => /^::(group|error)|^<time>/.test(line));
  assert.deepEqual(marks, [
    "<time> r a/1 started",
    "::group::a/1 succeeded in <took>",
    "<time> r deploy/1 started",
    "<time> r deploy/each 3 items",
    "<time> r deploy/each/item-0/1 started",
    "::group::deploy/each/item-0/1 succeeded in <took>",
    "<time> r deploy/each/item-1/1 started",
    "::group::deploy/each/item-1/1 failed in <took>: exit status 1",
    "<time> r deploy/1 failed in <took>: its run failed: each/item-1 failed on attempt 1: exit status 1",
    "<time> r run failed",
    "::error file=ci/inner.yaml,line=3,title=wf%3A outer::deploy/each/item-1 failed on attempt 1: exit status 1",
  ]);
  assert.match(
    rig.read("summary.md"),
    new RegExp(
      [
        "\\| a \\| succeeded \\| 1 \\|  \\|",
        "\\| deploy \\| failed \\| 1 \\| .*",
        "\\| deploy/each \\| failed \\| 2 \\| .*",
        "\\| deploy/each/item-0 \\| succeeded \\| 1 \\|  \\|",
        "\\| deploy/each/item-1 \\| failed \\| 1 \\| exit status 1 \\|",
        "\\| deploy/each/item-2 \\| pending \\| 0 \\|  \\|",
      ].join("\n"),
    ),
  );
});
