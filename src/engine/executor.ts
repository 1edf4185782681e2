import type { Executor, ExecutorOptions, Found, KnownJob } from "../process/executor.ts";
import { createLocal } from "../process/local.ts";

/** The one place that makes an executor. */
export function createExecutor(options: ExecutorOptions): Executor {
  return createLocal(options);
}

/** What has become of jobs of earlier engines, for whoever only wants to know: nothing is started, stopped or adopted. */
export async function findJobs(jobs: readonly KnownJob[]): Promise<readonly Found[]> {
  const nothing = () => undefined;
  const executor = createExecutor({
    env: process.env,
    maxJobs: 1,
    onRoom: nothing,
    onEnd: nothing,
    onBroken: nothing,
  });
  try {
    return await executor.find(jobs);
  } finally {
    await executor.close();
  }
}
