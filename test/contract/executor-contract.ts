import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { JobEnd, JobReference } from "../../src/process/executor.ts";
import { needsLinux } from "../rig/held.ts";
import { PATIENCE_MS, until } from "../rig/wait.ts";
import { HOLD, known, Stage } from "./stage.ts";
import { loadSubject, type SubjectPlace } from "./subject.ts";

const LONG_MS = 1_000_000;
const DEAF = "trap '' TERM; echo on; while :; do sleep 0.01; done";

/**
 * What every executor promises (`src/process/executor.ts`), on real processes and with engines that are killed. Nothing here
 * knows of any kind of executor: another one brings its subject, and passes unchanged.
 */
export async function executorContract(at: SubjectPlace): Promise<void> {
  const subject = await loadSubject<JobReference>(at);
  const on = (name: string, body: (stage: Stage<JobReference>, t: TestContext) => Promise<void>) =>
    test(name, { timeout: 3 * PATIENCE_MS }, async (t) => body(await Stage.on(t, subject, at), t));

  describe(`${subject.name}: a job that is started`, { skip: needsLinux }, () => {
    on("runs once, as it was ordered, with its output in its folder", async (stage) => {
      const stdin = join(stage.place, "in put");
      writeFileSync(stdin, "said\n");
      const env = { WF_OWN: "own 'value'\nof two lines", WF_INHERITED: null };
      const show = 'pwd; echo "$WF_OWN"; echo "[$WF_INHERITED]"; cat; echo complaint >&2';
      const order = stage.order(show, { env, stdin });
      assert.deepEqual(await stage.engine().run(order), { exitCode: 0 });
      assert.equal(order.stdout, `${stage.place}\nown 'value'\nof two lines\n[]\nsaid\n`);
      assert.equal(order.file("stderr.log"), "complaint\n");
      assert.equal(order.file("exit"), "0\n");
      assert.deepEqual(stage.effects(), { 1: 1 });
    });

    on("has no input unless it is given one, and inherits what the engine gives to all", async (stage) => {
      const order = stage.order('cat; echo "$WF_INHERITED"');
      assert.deepEqual(await stage.engine().run(order), { exitCode: 0 });
      assert.equal(order.stdout, "it's inherited\n");
    });

    on("ends with the status of its command, whatever it is", async (stage) => {
      const engine = stage.engine();
      const statuses: Record<string, number> = { "exit 1": 1, "exit 255": 255, "nowhere-to-be-found": 127 };
      statuses["kill -TERM $$"] = 143;
      statuses["kill -KILL $$"] = 137;
      for (const [script, exitCode] of Object.entries(statuses)) {
        const order = stage.order(script);
        assert.deepEqual(await engine.run(order), { exitCode }, script);
        assert.equal(order.file("exit"), `${exitCode}\n`);
      }
    });

    on("begins only when the gate opens", async (stage) => {
      const engine = stage.engine();
      const order = stage.order("true");
      const job = await engine.place(order);
      assert.deepEqual(await engine.run(stage.order("true")), { exitCode: 0 });
      assert.equal(order.file("exit"), null);
      assert.deepEqual(stage.effects(), { 2: 1 });
      engine.executor.open(job);
      assert.deepEqual(await engine.end(job), { exitCode: 0 });
      assert.deepEqual(stage.effects(), { 2: 1, 1: 1 });
    });

    on("never runs if the executor is closed before", async (stage) => {
      const engine = stage.engine();
      const order = stage.order("true");
      const job = await engine.place(order);
      await engine.executor.close();
      const later = stage.engine();
      const found = await stage.settled(later, known(job.reference, order.command.attemptDir));
      assert.deepEqual(found, { found: "never_began" });
      assert.deepEqual(await later.run(stage.order("true")), { exitCode: 0 });
      assert.deepEqual(stage.effects(), { 2: 1 });
    });

    on("says what keeps it from beginning", async (stage) => {
      const order = stage.order("true", { cwd: join(stage.place, "nowhere") });
      const end = await stage.engine().run(order);
      assert.ok("error" in end && end.error !== "", JSON.stringify(end));
      assert.deepEqual(stage.effects(), {});
    });

    on("is one of many, and more than there are places", async (stage) => {
      const engine = stage.engine(2);
      const placed = [];
      engine.executor.want(2);
      while (placed.length < 2) placed.push(await engine.place(stage.order("true")));
      for (let room = engine.executor.room; room > 0; room = engine.executor.room) {
        placed.push(await engine.place(stage.order("true")));
      }
      assert.equal(engine.executor.reserve("no place"), null);
      const rooms = engine.rooms();
      for (const job of placed) engine.executor.open(job);
      for (const job of placed) assert.deepEqual(await engine.end(job), { exitCode: 0 });
      await until(() => engine.rooms() > rooms && engine.executor.room > 0, "a place again");
      const statuses = [0, 1, 2, 3, 4, 5, 6, 7];
      const ends = await Promise.all(statuses.map((exitCode) => engine.run(stage.order(`exit ${exitCode}`))));
      assert.deepEqual(
        ends,
        statuses.map((exitCode) => ({ exitCode })),
      );
    });

    on("has ended only when nothing of it is left; what it leaves behind is ended", async (stage) => {
      const order = stage.order("sleep 1000 & echo left; exit 5");
      assert.deepEqual(await stage.engine().run(order), { exitCode: 5 });
      assert.ok(order.isGone());
      assert.equal(order.file("exit"), "5\n");
    });

    on("died if all of its processes did", async (stage) => {
      const engine = stage.engine();
      const order = stage.order(HOLD);
      const job = await engine.start(order);
      await order.said("on");
      assert.equal(engine.executor.hasExited(job), false);
      await stage.system.strike(job.reference);
      assert.deepEqual(await engine.end(job), { died: true });
      assert.ok(order.isGone());
    });
  });

  describe(`${subject.name}: a job that is stopped`, { skip: needsLinux }, () => {
    on("is asked to end, with all that belongs to it, and has its grace", async (stage) => {
      const engine = stage.engine();
      const child = `sh -c 'trap "echo child-cleaned; exit" TERM; echo on; while :; do sleep 0.01; done' & wait`;
      const order = stage.order(`trap 'wait; echo cleaned; exit 12' TERM; ${child}`);
      const job = await engine.start(order);
      await order.said("on");
      engine.executor.stop(job, { graceMs: LONG_MS });
      assert.deepEqual(await engine.end(job), { exitCode: 12 });
      assert.equal(order.stdout, "on\nchild-cleaned\ncleaned\n");
      assert.ok(order.isGone());
    });

    on("ends with 143 if it does nothing about it, and there is nothing left to stop", async (stage) => {
      const engine = stage.engine();
      const order = stage.order(HOLD);
      const job = await engine.start(order);
      await order.said("on");
      engine.executor.stop(job, { graceMs: LONG_MS });
      assert.deepEqual(await engine.end(job), { exitCode: 143 });
      assert.equal(order.file("exit"), "143\n");
      assert.equal(engine.executor.hasExited(job), true);
    });

    on("is killed after the grace period, or as soon as that is over", async (stage) => {
      const engine = stage.engine();
      const orders = [stage.order(DEAF), stage.order(DEAF)] as const;
      const [patient, hasty] = [await engine.start(orders[0]), await engine.start(orders[1])];
      for (const order of orders) await order.said("on");
      engine.executor.stop(patient, { graceMs: 30 });
      assertKilled(await engine.end(patient));
      engine.executor.stop(hasty, { graceMs: LONG_MS }).killNow();
      assertKilled(await engine.end(hasty));
      for (const order of orders) assert.ok(order.isGone());
    });
  });

  describe(`${subject.name}: a job whose engine is killed`, { skip: needsLinux }, () => {
    for (const phase of ["reserved", "handed over"] as const) {
      on(`before the gate opens never runs: ${phase}`, async (stage) => {
        const order = stage.order("true");
        const [job] = await stage.killedEngine([order], phase);
        const engine = stage.engine();
        assert.deepEqual(job && (await stage.settled(engine, job)), { found: "never_began" });
        assert.deepEqual(await engine.run(stage.order("true")), { exitCode: 0 });
        assert.deepEqual(stage.effects(), { 2: 1 });
      });
    }

    on("while the gate opens has run once, or never does", async (stage) => {
      const order = stage.order("exit 7");
      const [job] = await stage.killedEngine([order], "opening");
      const found = job && (await stage.settled(stage.engine(), job));
      if (found?.found === "never_began") assert.deepEqual(stage.effects(), {});
      else {
        assert.deepEqual(found, { found: "exited", exitCode: 7 });
        assert.deepEqual(stage.effects(), { 1: 1 });
      }
    });

    on("is found in whatever state it is, all with one look, in their order", async (stage) => {
      const never = stage.order("true");
      const [unborn] = await stage.killedEngine([never], "handed over");
      const [alive, struck] = [stage.order(HOLD), stage.order(HOLD)];
      const [ended, signalled] = [stage.order("exit 7"), stage.order("kill -TERM $$")];
      const orders = [alive, ended, struck, signalled];
      const jobs = await stage.killedEngine(orders, "opened", async () => {
        for (const held of [alive, struck]) await held.said("on");
      });
      if (!unborn || !jobs[2]) throw new Error("the engine told of no job");
      await stage.system.strike(jobs[2].reference);
      const engine = stage.engine();
      for (const job of [unborn, jobs[1], jobs[3]]) if (job) await stage.settled(engine, job);
      const before = stage.system.asked?.().length ?? 0;
      assert.deepEqual(await engine.executor.find([...jobs, unborn]), [
        { found: "alive" },
        { found: "exited", exitCode: 7 },
        { found: "lost" },
        { found: "exited", exitCode: 143 },
        { found: "never_began" },
      ]);
      assert.ok((stage.system.asked?.().length ?? 0) <= before + 1, "one question for all of them");
      assert.deepEqual(await engine.executor.find([]), []);
    });

    on("goes on, is adopted, and its status is heard of", async (stage) => {
      const order = stage.order(`${HOLD}; echo off; exit 7`);
      const [job] = await stage.killedEngine([order], "opened", () => order.said("on"));
      const engine = stage.engine();
      if (!job) throw new Error("the engine told of no job");
      const adopted = engine.executor.adopt(job);
      assert.equal(engine.executor.hasExited(adopted), false);
      order.letGo();
      assert.deepEqual(await engine.end(adopted), { exitCode: 7 });
      assert.equal(order.stdout, "on\noff\n");
      assert.ok(order.isGone());
      assert.deepEqual(stage.effects(), { 1: 1 });
    });

    on("is adopted and stopped, with grace and without", async (stage) => {
      const [polite, deaf] = [stage.order(HOLD), stage.order(DEAF)];
      const jobs = await stage.killedEngine([polite, deaf], "opened", async () => {
        for (const order of [polite, deaf]) await order.said("on");
      });
      const engine = stage.engine();
      const [first, second] = jobs.map((job) => engine.executor.adopt(job));
      if (!first || !second) throw new Error("the engine told of no job");
      engine.executor.stop(first, { graceMs: LONG_MS });
      assert.deepEqual(await engine.end(first), { exitCode: 143 });
      engine.executor.stop(second, { graceMs: LONG_MS }).killNow();
      assertKilled(await engine.end(second));
      for (const order of [polite, deaf]) assert.ok(order.isGone());
    });

    on("is left alone by an engine that closes, and adopted by the next", async (stage) => {
      const order = stage.order(`${HOLD}; exit 7`);
      const [job] = await stage.killedEngine([order], "opened", () => order.said("on"));
      if (!job) throw new Error("the engine told of no job");
      const first = stage.engine();
      first.executor.adopt(job);
      await first.executor.close();
      const second = stage.engine();
      const adopted = second.executor.adopt(job);
      order.letGo();
      assert.deepEqual(await second.end(adopted), { exitCode: 7 });
      // By then the first would have looked as well.
      assert.deepEqual(await second.run(stage.order("sleep 0.2")), { exitCode: 0 });
      assert.deepEqual([...first.ends], []);
      assert.deepEqual(stage.effects(), { 1: 1, 2: 1 });
    });

    on("died if all of its processes did while it was adopted", async (stage) => {
      const order = stage.order(HOLD);
      const [job] = await stage.killedEngine([order], "opened", () => order.said("on"));
      if (!job) throw new Error("the engine told of no job");
      const engine = stage.engine();
      const adopted = engine.executor.adopt(job);
      await stage.system.strike(job.reference);
      assert.deepEqual(await engine.end(adopted), { died: true });
    });

    on("is ended where it has left something behind", async (stage) => {
      const order = stage.order(
        'setsid sleep 1000 & echo on; until [ -e "$WF_ATTEMPT_DIR/go" ]; do sleep 0.01; done',
      );
      const [job] = await stage.killedEngine([order], "opened", () => order.said("on"));
      if (!job) throw new Error("the engine told of no job");
      order.letGo();
      const engine = stage.engine();
      assert.deepEqual(await stage.settled(engine, job), { found: "exited", exitCode: 0 });
      await engine.executor.endLeftovers(job);
      assert.ok(order.isGone());
    });
  });

  describe(`${subject.name}: what its system may do`, { skip: needsLinux }, () => {
    on("a job that is started twice runs once, while it runs and after", async (stage) => {
      const order = stage.order(`${HOLD}; exit 7`);
      const engine = stage.engine();
      const job = await engine.start(order);
      await order.said("on");
      const again = stage.system.startAgain({ reference: job.reference, command: order.command });
      let over = false;
      void again.then(() => {
        over = true;
      });
      await until(() => over || stage.effects()[1] !== 1, "the second start to do nothing");
      assert.deepEqual(stage.effects(), { 1: 1 });
      assert.deepEqual(engine.ends.get(job), undefined);
      assert.equal(order.file("exit"), "");
      order.letGo();
      assert.deepEqual(await engine.end(job), { exitCode: 7 });
      await stage.system.startAgain({ reference: job.reference, command: order.command });
      assert.deepEqual(stage.effects(), { 1: 1 });
      assert.deepEqual([order.file("exit"), order.stdout, order.file("stderr.log")], ["7\n", "on\n", ""]);
    });

    on("a job that was found never to have begun does not begin late", async (stage, t) => {
      if (!stage.system.startsLate) return t.skip("none can be on its way when its engine is dead");
      const order = stage.order("true");
      const [job] = await stage.killedEngine([order], "handed over");
      if (!job) throw new Error("the engine told of no job");
      const engine = stage.engine();
      assert.deepEqual(await stage.settled(engine, job), { found: "never_began" });
      await stage.system.startAgain({ reference: job.reference, command: order.command });
      assert.deepEqual(await stage.settled(engine, job), { found: "never_began" });
      assert.deepEqual(stage.effects(), {});
    });

    on("a job whose id was given to another's is lost, and the other's is left alone", async (stage) => {
      const order = stage.order(HOLD);
      const [job] = await stage.killedEngine([order], "opened", () => order.said("on"));
      if (!job) throw new Error("the engine told of no job");
      await stage.system.strike(job.reference);
      const { reference, alienLives } = await stage.system.giveIdAway(job.reference);
      const after = known(reference, job.attemptDir);
      const engine = stage.engine();
      assert.deepEqual(await stage.settled(engine, after), { found: "lost" });
      await engine.executor.endLeftovers(after);
      assert.ok(alienLives());
    });

    on("a status that is there is the truth, though the system says that the job runs", async (stage) => {
      const order = stage.order("exit 7");
      const [job] = await stage.killedEngine([order], "opened", () =>
        until(() => order.file("exit"), "exit"),
      );
      if (!job) throw new Error("the engine told of no job");
      const engine = stage.engine();
      await stage.settled(engine, job);
      const insisted = known(await stage.system.insistItRuns(job.reference), job.attemptDir);
      assert.deepEqual(await engine.executor.find([insisted]), [{ found: "exited", exitCode: 7 }]);
      await engine.executor.endLeftovers(insisted);
    });

    on("without an answer a job counts as alive, is adopted, and ends when there is one", async (stage) => {
      const order = stage.order(`${HOLD}; exit 7`);
      const [job] = await stage.killedEngine([order], "opened", () => order.said("on"));
      if (!job) throw new Error("the engine told of no job");
      const { reference, speak } = await stage.system.silence(job.reference);
      const silent = known(reference, job.attemptDir);
      const engine = stage.engine();
      const [found] = await engine.executor.find([silent]);
      assert.equal(found?.found, "unanswered");
      assert.ok("why" in found && found.why !== "");
      const adopted = engine.executor.adopt(silent);
      // Long enough for it to have looked.
      assert.equal((await engine.executor.find([silent]))[0]?.found, "unanswered");
      order.letGo();
      await until(() => order.file("exit"), "its status");
      speak();
      assert.deepEqual(await engine.end(adopted), { exitCode: 7 } satisfies JobEnd);
      assert.deepEqual(stage.effects(), { 1: 1 });
    });

    on("it is asked once about all jobs, those started and those adopted", async (stage, t) => {
      const { asked } = stage.system;
      if (!asked) return t.skip("there is nobody to be asked");
      const before = [stage.order(HOLD), stage.order(HOLD)];
      const jobs = await stage.killedEngine(before, "opened", async () => {
        for (const order of before) await order.said("on");
      });
      const engine = stage.engine();
      const own = stage.order(HOLD);
      const all = [await engine.start(own), ...jobs.map((job) => engine.executor.adopt(job))];
      await own.said("on");
      await until(() => asked().at(-1) === all.length, "it to be asked about all of them");
      const first = asked().length;
      await until(() => asked().length >= first + 3, "it to be asked again");
      for (const about of asked().slice(first)) assert.equal(about, all.length);
      for (const order of [own, ...before]) order.letGo();
      for (const job of all) assert.deepEqual(await engine.end(job), { exitCode: 0 });
    });
  });
}

/** Whether what records the status was killed with the rest is the executor's affair. */
function assertKilled(end: JobEnd): void {
  const expected = "died" in end ? { died: true } : { exitCode: 137 };
  assert.deepEqual(end, expected);
}
