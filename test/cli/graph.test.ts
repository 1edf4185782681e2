import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "./rig.ts";

const FILES = {
  "release.yaml": `id: release
steps:
  - { id: build, run: echo build }
  - { id: tests, foreach: [unit, "e2e"], workflow: tests.yaml, with: { suite: '{{item}}' } }
  - { id: sign_off, type: approval, message: ok, on_reject: build }
  - { id: publish, when: 'env.STAGE != "x<y"', run: echo publish, next: done }
  - { id: never, run: echo never }
finally:
  - { id: tidy, run: echo tidy }
  - { id: tell, run: echo tell }
`,
  "tests.yaml": `id: tests
inputs: { suite: { type: string } }
steps:
  - { id: prepare, needs: [], run: echo prepare }
  - { id: run, needs: [prepare], run: 'test {{inputs.suite}} = unit' }
`,
};

function project(rig: Rig): void {
  for (const [file, text] of Object.entries(FILES)) rig.write(file, text);
}

const COLORS = {
  succeeded: "  classDef succeeded fill:#d3f9d8,stroke:#2b8a3e,color:#000",
  failed: "  classDef failed fill:#ffe3e3,stroke:#c92a2a,color:#000",
  pending: "  classDef pending fill:#fff,stroke:#adb5bd,color:#868e96",
};

test("wf graph FILE draws gates as diamonds, nested workflows as boxes around their steps, and every way", async (t) => {
  const rig = new Rig(t);
  project(rig);
  const { code, stdout, stderr } = await rig.wf(["graph", "release.yaml"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    stdout,
    `flowchart TD
  s0["build"]
  subgraph s1["tests × 2: tests"]
    s1_s0["prepare"]
    s1_s1["run"]
    s1_s0 --> s1_s1
  end
  s2{"sign_off"}
  s3["publish<br/>when env.STAGE != #34;x#60;y#34;"]
  s4["never"]
  done((done))
  subgraph finally["finally"]
    s5["tidy"]
    s6["tell"]
    s5 --> s6
  end
  s0 --> s1
  s1 --> s2
  s2 -->|approved| s3
  s2 -->|rejected| s0
  s3 -->|next| done
  s4 --> done
`,
  );
});

test("wf graph RUN colours each step, shows the item that failed, and which way the run took", async (t) => {
  const rig = new Rig(t);
  project(rig);
  assert.equal((await rig.wf(["run", "release.yaml", "--run-id", "r"])).code, 1);
  const { code, stdout } = await rig.wf(["graph", "r"]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `flowchart TD
  s0["build"]:::succeeded
  subgraph s1["tests × 2: tests (item-1)<br/>1 of 2 failed"]
    s1_s0["prepare"]:::succeeded
    s1_s1["run"]:::failed
    s1_s0 --> s1_s1
  end
  class s1 failed
  s2{"sign_off"}:::pending
  s3["publish<br/>when env.STAGE != #34;x#60;y#34;"]:::pending
  s4["never"]:::pending
  done((done))
  subgraph finally["finally"]
    s5["tidy"]:::succeeded
    s6["tell"]:::succeeded
    s5 --> s6
  end
  s0 --> s1
  s1 -.-> s2
  s2 -.->|approved| s3
  s2 -.->|rejected| s0
  s3 -.->|next| done
  s4 -.-> done
${COLORS.succeeded}
${COLORS.failed}
${COLORS.pending}
`,
  );
  const inner = await rig.wf(["graph", "r", "tests/item-0"]);
  assert.equal(
    inner.stdout,
    `flowchart TD
  s0["prepare"]:::succeeded
  s1["run"]:::succeeded
  s0 --> s1
${COLORS.succeeded}
`,
  );
});

test("wf graph --format dot: clusters, and arrows that end at them", async (t) => {
  const rig = new Rig(t);
  project(rig);
  const { code, stdout } = await rig.wf(["graph", "release.yaml", "--format", "dot"]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `digraph "release" {
  compound=true;
  node [shape=box, style="rounded,filled", fillcolor="#fff", fontname="sans-serif"];
  edge [fontname="sans-serif"];
  s0 [label="build"];
  subgraph cluster_s1 {
    label="tests × 2: tests"; fontname="sans-serif"; style="rounded";
    s1_s0 [label="prepare"];
    s1_s1 [label="run"];
    s1_s0 -> s1_s1;
  }
  s2 [label="sign_off", shape=diamond, style=filled];
  s3 [label="publish\\nwhen env.STAGE != \\"x<y\\""];
  s4 [label="never"];
  done [label="done", shape=circle];
  subgraph cluster_finally {
    label="finally"; fontname="sans-serif"; style="rounded";
    s5 [label="tidy"];
    s6 [label="tell"];
    s5 -> s6;
  }
  s0 -> s1_s0 [lhead=cluster_s1];
  s1_s1 -> s2 [ltail=cluster_s1];
  s2 -> s3 [label="approved"];
  s2 -> s0 [label="rejected"];
  s3 -> done [label="next"];
  s4 -> done;
}
`,
  );
});

test("a workflow that runs itself is drawn in itself once, and a run of it as deep as it went", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "down.yaml",
    `id: down
inputs: { left: { type: integer, default: 1 } }
steps:
  - { id: next, run: 'echo "left=\`expr {{inputs.left}} - 1\`" >> "$WF_OUTPUT"', outputs: { left: { type: integer } } }
  - { id: deeper, when: 'steps.next.outputs.left > 0', workflow: down.yaml, with: { left: '{{steps.next.outputs.left}}' } }
`,
  );
  const file = await rig.wf(["graph", "down.yaml"]);
  assert.match(file.stdout, /^ {4}s1_s1\[\["deeper: down<br\/>when steps\.next\.outputs\.left #62; 0"\]\]$/m);
  assert.equal((await rig.wf(["run", "down.yaml", "--input", "left=2", "--run-id", "r"])).code, 0);
  const run = await rig.wf(["graph", "r"]);
  assert.match(run.stdout, /^ {4}s1_s0\["next"\]:::succeeded$/m);
  assert.match(run.stdout, /^ {4}s1_s1\[\["deeper: down<br\/>.*"\]\]:::skipped$/m);
});

test("what can not be drawn is said", async (t) => {
  const rig = new Rig(t);
  project(rig);
  for (const [args, message] of [
    [["graph"], "wf graph needs a FILE or a RUN   [USAGE]"],
    [["graph", "nope.yaml"], "there is no file nope.yaml   [FILE_NOT_FOUND]"],
    [["graph", "release.yaml", "other"], "[UNKNOWN_WORKFLOW]"],
    [["graph", "nope"], '"nope"'],
  ] as const) {
    const { code, stdout, stderr } = await rig.wf(args);
    assert.deepEqual([args, code, stdout], [args, 2, ""]);
    assert.ok(stderr.includes(message), stderr);
  }
});
