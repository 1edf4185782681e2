export type { AttemptRecord, JournalLine, RunEvent, RunReason, RunStatus } from "./core/event.ts";
export type { Problem, ProblemCode } from "./core/problem.ts";
export { WfError } from "./core/problem.ts";
export type { RunRecord } from "./core/record.ts";
export type {
  DriveOptions,
  ForkRequest,
  GivenInput,
  GivenOutput,
  Observer,
  Outcome,
  Plan,
  ResumeRequest,
  StartRequest,
} from "./engine/api.ts";
export { fork } from "./engine/fork.ts";
export { plan } from "./engine/plan.ts";
export { executeNext, resume } from "./engine/resume.ts";
export { start } from "./engine/start.ts";
