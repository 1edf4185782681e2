/**
 * Stands in for an engine that is killed: starts jobs, as far as it is told, and stays.
 *
 *     engine.ts <module of the subject> <its name> <place> <jobs, JSON> <reserved|handed over|opening|opened>
 *
 * Says their references, as a journal would, and then how far it has come; `opening`: it is dead before it can say so.
 */
import type { Command } from "../../src/process/environment.ts";
import { until } from "../rig/wait.ts";
import { loadSubject } from "./subject.ts";

export type Phase = "reserved" | "handed over" | "opening" | "opened";

const [module = "", name = "", place = "", list = "", phase] = process.argv.slice(2);
const commands = JSON.parse(list) as { cookie: string; command: Command }[];
const subject = await loadSubject({ module, name });
const executor = subject.create(place, {
  env: process.env,
  maxJobs: commands.length,
  onRoom: () => undefined,
  onEnd: () => undefined,
  onBroken: (why) => console.error(why),
});
// The timers of an executor need not keep a process.
setInterval(() => undefined, 1_000_000);

const jobs = [];
for (const { cookie, command } of commands) {
  executor.want(1);
  jobs.push({ job: await until(() => executor.reserve(cookie), "a place"), command });
}
console.log(JSON.stringify(jobs.map(({ job }) => job.reference)));
if (phase !== "reserved") for (const { job, command } of jobs) executor.handOver(job, command);
if (phase === "opening" || phase === "opened") for (const { job } of jobs) executor.open(job);
if (phase === "opening") process.kill(process.pid, "SIGKILL");
console.log(phase);
