/** Where in a file a problem stands; line and column count from 1, column in characters. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with what a user gave: what, where, what to do. */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly hint?: string;
  readonly position?: Position;
  /** The line the problem stands in, and how many characters of it to underline. */
  readonly excerpt?: { readonly text: string; readonly length: number };
}

export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  waiting: 3,
  locked: 4,
  damaged: 5,
  internal: 6,
  hangup: 129,
  interrupt: 130,
  terminate: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * Every code a problem, a failed attempt or a run's reason can bear, with the exit code of the command that
 * meets it. `docs/errors.md` has an entry for each, and no other; a test compares them.
 */
export const PROBLEM_CODES = {
  // The workflow file. All of them: exit 2, nothing started, nothing written.
  FILE_NOT_FOUND: 2,
  FILE_UNREADABLE: 2,
  YAML_ENCODING: 2,
  YAML_SYNTAX: 2,
  YAML_VERSION: 2,
  YAML_ALIAS: 2,
  YAML_TAG: 2,
  YAML_DOCUMENTS: 2,
  DUPLICATE_KEY: 2,
  NUMBER_UNSAFE: 2,
  FORBIDDEN_KEY: 2,
  UNKNOWN_KEY: 2,
  MISSING_KEY: 2,
  WRONG_TYPE: 2,
  BAD_VALUE: 2,
  BAD_ID: 2,
  DUPLICATE_ID: 2,
  UNKNOWN_STEP: 2,
  MIXED_SHAPE: 2,
  CYCLE: 2,
  WRONG_SHAPE: 2,
  BAD_DURATION: 2,
  BOTH_SPELLINGS: 2,
  BAD_TEMPLATE: 2,
  UNKNOWN_NAME: 2,
  UNSAFE_REFERENCE: 2,
  VARIABLE_CLASH: 2,
  BAD_EXPRESSION: 2,
  BAD_PATTERN: 2,
  BAD_OUTPUT_PATH: 2,
  BAD_SCHEMA: 2,
  UNKNOWN_WORKFLOW: 2,
  // The command line.
  USAGE: 2,
  INPUT_UNKNOWN: 2,
  INPUT_MISSING: 2,
  INPUT_INVALID: 2,
  INPUT_REPEATED: 2,
  RUN_NOT_FOUND: 2,
  RUN_AMBIGUOUS: 2,
  RUN_EXISTS: 2,
  BAD_RUN_ID: 2,
  WRONG_STATE: 2,
  LIMIT_SPENT: 2,
  LEGACY_RUN: 2,
  REUSE_REFUSED: 2,
  ANSWERS_REFUSED: 2,
  PROJECT_NOT_FOUND: 2,
  STEP_NOT_FOUND: 2,
  NO_OPEN_GATE: 2,
  OWN_GATE: 2,
  SECRET_MISSING: 2,
  SECRET_TOO_SHORT: 2,
  FIXTURE_INVALID: 2,
  FIXTURE_REFUSED: 2,
  // The run directory and its engine.
  RUN_LOCKED: 4,
  LOCK_LOST: 4,
  RUN_DAMAGED: 5,
  FORMAT_UNKNOWN: 5,
  IO_ERROR: 6,
  INTERNAL: 6,
  // Why an attempt or a run failed.
  EXIT_STATUS: 1,
  KILLED: 1,
  TIMEOUT: 1,
  RUN_TIMEOUT: 1,
  ITERATION_LIMIT: 1,
  INTERRUPTED: 1,
  SHELL_NOT_FOUND: 1,
  SPAWN_FAILED: 1,
  CWD_NOT_FOUND: 1,
  INPUT_FILE_MISSING: 1,
  INPUT_FILE_PRESENT: 1,
  INPUT_FILE_UNREADABLE: 1,
  WHEN_ERROR: 1,
  TEMPLATE_ERROR: 1,
  OUTPUT_MISSING: 1,
  OUTPUT_INVALID: 1,
  OUTPUT_SYNTAX: 1,
  OUTPUT_UNSAFE: 1,
  RUN_OUTPUT_ERROR: 1,
  FOREACH_INVALID: 1,
  NESTED_FAILED: 1,
  NESTED_TOO_DEEP: 1,
  NEXT_FAIL: 1,
  REJECTED: 1,
  BAD_DECISION: 1,
  FEEDBACK_MISSING: 1,
  STALE: 1,
  IDLE_TIMEOUT: 1,
  SECRET_IN_OUTPUT: 1,
  ENVELOPE_MISSING: 1,
  ENVELOPE_INVALID: 1,
  AGENT_FAILED: 1,
  AGENT_NOT_FOUND: 1,
  AGENT_DENIED: 1,
  AGENT_AUTH: 1,
  AGENT_RATE_LIMITED: 1,
  AGENT_SERVER: 1,
  AGENT_NETWORK: 1,
  AGENT_TURN_LIMIT: 1,
  AGENT_BUDGET: 1,
  AGENT_NO_OUTPUT: 1,
  AGENT_BAD_OUTPUT: 1,
  AGENT_CANCELED: 1,
  CANCELED: 1,
  // Why a run waits.
  PAUSED: 3,
  APPROVAL: 3,
  BUDGET: 3,
  RATE_LIMIT: 3,
  SIGNAL: 3,
} as const satisfies Record<string, ExitCode>;
export type ProblemCode = keyof typeof PROBLEM_CODES;

/** A condition a user can meet; carries what the command line prints and the code it exits with. */
export class WfError extends Error {
  override readonly name = "WfError";
  readonly code: ProblemCode;
  readonly hint: string | undefined;
  /** All problems, when there are several (a workflow file, inputs). */
  readonly problems: readonly Problem[];

  constructor(problem: Problem | readonly [Problem, ...Problem[]], options?: { cause?: unknown }) {
    const problems: readonly Problem[] = Array.isArray(problem) ? problem : [problem as Problem];
    const first = problems[0] as Problem;
    super(first.message, options);
    this.code = first.code;
    this.hint = first.hint;
    this.problems = problems;
  }

  get exitCode(): ExitCode {
    return PROBLEM_CODES[this.code];
  }
}
