import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import { killEngine, letGo, needsLinux, startHeld } from "../rig/held.ts";
import { readJournal } from "../rig/journal.ts";
import { kill } from "../rig/processes.ts";
import { Project } from "../rig/project.ts";

const AT_ONCE = 8;
const rounds = Number(process.env.WF_RACE_ROUNDS ?? 10);

describe("resumes that are started at once", { skip: needsLinux }, () => {
  test(`${AT_ONCE} of a crashed run, ${rounds} times: one drives, the others exit 4`, async () => {
    for (let round = 1; round <= rounds; round += 1) await race(round % 2 === 0 ? "died" : "lived");
  });

  test(`${AT_ONCE} while an engine drives: all exit 4`, async () => {
    const project = new Project();
    try {
      const run = await startHeld(project);
      const resumes = Array.from({ length: AT_ONCE }, () => project.start(["resume", run.runDir]).ended);
      assert.deepEqual(
        (await Promise.all(resumes)).map(({ code }) => code),
        resumes.map(() => 4),
      );
      letGo(project, "held");
      assert.equal((await run.engine.ended).code, 0);
      assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
    } finally {
      await project.remove();
    }
  });
});

/** The step is held until seven have given up, so that none of them can come too late. */
async function race(children: "lived" | "died"): Promise<void> {
  const project = new Project();
  try {
    const run = await startHeld(project);
    await killEngine(run);
    if (children === "died") {
      kill(project.processes().map(({ pid }) => pid));
      await project.quiet();
    }
    let ended = 0;
    const resumes = Array.from({ length: AT_ONCE }, () => project.start(["resume", run.runDir]).ended);
    await new Promise<void>((done, fail) => {
      for (const resume of resumes) {
        resume.then(() => {
          ended += 1;
          if (ended === AT_ONCE - 1) done();
        }, fail);
      }
    });
    letGo(project, "held");
    const codes = (await Promise.all(resumes)).map(({ code }) => code);
    assert.deepEqual(codes.toSorted(), [0, ...Array.from({ length: AT_ONCE - 1 }, () => 4)], codes.join(" "));
    await project.quiet();
    assert.equal(readJournal(run.runDir).filter(({ event }) => event === "engine_started").length, 2);
    const facts = { effects: project.lines("effects"), expected: { first: 1, held: 1, last: 1 }, children };
    assert.deepEqual(
      sentences(check({ runDir: run.runDir, phase: "recovered", resumes: codes, ...facts })),
      [],
    );
  } finally {
    await project.remove();
  }
}
