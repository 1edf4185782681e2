import type { Budget, Limits } from "../core/workflow.ts";
import type { MapNode, Node } from "./node.ts";
import { checkKeys, type Reader } from "./read.ts";

/** What a workbook gives to the workflows in it. */
export interface WorkbookLimits {
  readonly maxTotalIterations?: number;
  readonly runTimeoutMs?: number;
  readonly stepTimeoutMs?: number;
  readonly maxStepTimeoutMs?: number;
}

/** A workflow's limits, and what its steps take from it. */
export interface WorkflowLimits {
  readonly limits: Limits;
  readonly stepTimeoutMs?: number;
  readonly maxStepTimeoutMs?: number;
  readonly maxRetries?: number;
}

const LIMIT_KEYS = {
  what: "`limits`",
  known: [
    "max_total_iterations",
    "run_timeout",
    "run_timeout_seconds",
    "step_timeout",
    "step_timeout_seconds",
    "max_parallel",
    "max_retries",
    "max_tokens",
    "max_cost_usd",
  ],
};

const ORCHESTRATION_KEYS = {
  what: "`workflow_orchestration`",
  known: [
    "max_total_iterations",
    "default_run_timeout_seconds",
    "default_step_timeout_seconds",
    "max_step_timeout_seconds",
  ],
};

/** Iterations a workflow may make for each step it has, and at the least, if it does not say. */
const ITERATIONS_PER_STEP = 10;
const LEAST_ITERATIONS = 100;

export function readLimits(
  node: Node | undefined,
  stepCount: number,
  book: WorkbookLimits,
  reader: Reader,
): WorkflowLimits {
  const map = node ? reader.map(node, "`limits`") : null;
  if (map) checkKeys(map, LIMIT_KEYS, reader.problems);
  const integer = (key: string, least: number) =>
    reader.integer(map?.entries.get(key)?.value, `\`${key}\``, least);
  const runTimeoutMs = readTimeout(map, "run_timeout", reader) ?? book.runTimeoutMs;
  const stepTimeoutMs = readTimeout(map, "step_timeout", reader) ?? book.stepTimeoutMs;
  const maxParallel = integer("max_parallel", 1);
  const maxRetries = integer("max_retries", 0);
  const iterations = integer("max_total_iterations", 1) ?? book.maxTotalIterations;
  return {
    limits: {
      maxTotalIterations: iterations ?? Math.max(LEAST_ITERATIONS, ITERATIONS_PER_STEP * stepCount),
      ...(runTimeoutMs === undefined ? {} : { runTimeoutMs }),
      ...(maxParallel === null ? {} : { maxParallel }),
      budget: readBudget(map, reader),
    },
    ...(stepTimeoutMs === undefined ? {} : { stepTimeoutMs }),
    ...(book.maxStepTimeoutMs === undefined ? {} : { maxStepTimeoutMs: book.maxStepTimeoutMs }),
    ...(maxRetries === null ? {} : { maxRetries }),
  };
}

/** `max_tokens` and `max_cost_usd`, of a workflow or of a step that calls an agent. */
export function readBudget(limits: MapNode | null, reader: Reader): Budget {
  const maxTokens = reader.integer(limits?.entries.get("max_tokens")?.value, "`max_tokens`", 1);
  const maxCostUsd = reader.amount(limits?.entries.get("max_cost_usd")?.value, "`max_cost_usd`");
  return {
    ...(maxTokens === null ? {} : { maxTokens }),
    ...(maxCostUsd === null ? {} : { maxCostUsd }),
  };
}

/** `name`, a duration, or `name_seconds`, a number. */
function readTimeout(map: MapNode | null, name: string, reader: Reader): number | null {
  const older = `${name}_seconds`;
  const entry = map && reader.oneOf(map, name, map.entries.get(older), older);
  if (!entry) return null;
  if (entry === map?.entries.get(name)) return reader.duration(entry.value, `\`${name}\``);
  return readSeconds(entry.value, older, reader);
}

/** A timeout in the older spelling, a number of seconds. */
export function readSeconds(node: Node | undefined, name: string, reader: Reader): number | null {
  const seconds = reader.number(node, `\`${name}\``, 0);
  return seconds === null ? null : reader.duration(node, `\`${name}\``);
}

export function readWorkbookLimits(node: Node | undefined, reader: Reader): WorkbookLimits {
  const map = node ? reader.map(node, "`workflow_orchestration`") : null;
  if (!map) return {};
  checkKeys(map, ORCHESTRATION_KEYS, reader.problems);
  const seconds = (key: string) => readSeconds(map.entries.get(key)?.value, key, reader);
  const maxTotalIterations = reader.integer(
    map.entries.get("max_total_iterations")?.value,
    "`max_total_iterations`",
    1,
  );
  const runTimeoutMs = seconds("default_run_timeout_seconds");
  const stepTimeoutMs = seconds("default_step_timeout_seconds");
  const maxStepTimeoutMs = seconds("max_step_timeout_seconds");
  return {
    ...(maxTotalIterations === null ? {} : { maxTotalIterations }),
    ...(runTimeoutMs === null ? {} : { runTimeoutMs }),
    ...(stepTimeoutMs === null ? {} : { stepTimeoutMs }),
    ...(maxStepTimeoutMs === null ? {} : { maxStepTimeoutMs }),
  };
}
