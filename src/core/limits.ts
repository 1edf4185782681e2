/** Every bound of the engine and the run directory, with its unit. */

/** A value longer than this reaches a step by a file: Linux allows 128 KiB for one string of an environment. */
export const MAX_VARIABLE_BYTES = 96 * 1024;
/** All values together; beyond it the largest go by file, since Linux allows about 2 MiB for all. */
export const MAX_ENVIRONMENT_BYTES = 1024 * 1024;
/** What a step may write to `$WF_OUTPUT`. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;
/** Between SIGTERM and SIGKILL, milliseconds. */
export const GRACE_MS = 10_000;
/** The snapshot is replaced at most this often while steps come and go, milliseconds. */
export const SNAPSHOT_INTERVAL_MS = 250;
/** … and takes at most this part of the time. */
export const SNAPSHOT_SHARE = 0.05;
/** A run shorter than this takes no heartbeat and watches no folder, milliseconds. */
export const SETTLED_AFTER_MS = 700;
/** How often `control/` is looked at beneath the watcher, milliseconds. */
export const CONTROL_POLL_MS = 1000;
/** After a hint that `control/` changed it is read at once, and again after this, milliseconds. */
export const CONTROL_REREAD_MS = 80;
/** An artifact up to this size is hashed in the engine's turn, a larger one beside it, bytes. */
export const INLINE_HASH_BYTES = 1024 * 1024;
/** All secrets of a run together: their forms are looked for in every byte that steps print. */
export const MAX_SECRETS_BYTES = 64 * 1024;
/** A line of an agent client's output longer than this is passed over: it can not be its final record, bytes. */
export const MAX_AGENT_LINE_BYTES = 16 * 1024 * 1024;
/** How much of what a client says on its standard error is looked at, from the end, bytes. */
export const MAX_AGENT_STDERR_BYTES = 64 * 1024;
/** A file larger than this can not be put into a prompt, bytes. */
export const MAX_PROMPT_FILE_BYTES = 4 * 1024 * 1024;
/** How many runs may be nested in one another: a workflow that runs itself without end comes to one here. */
export const MAX_NESTING = 16;
/** Input files of an attempt that are hashed in one turn of the loop; more are hashed beside it, bytes. */
export const HASHED_IN_TURN_BYTES = 64 * 1024 * 1024;
/** A value larger than this stands in `inputs.json` by its digest, bytes. */
export const MAX_SHOWN_VALUE_BYTES = 1024;
/** Attempts that are taken over in one turn of the loop, at most. */
export const MAX_REUSED_PER_TURN = 500;
/** How many due steps are looked at for one that can be taken over, while no place is free. */
export const MAX_REUSE_LOOKAHEAD = 1000;
/** How many runs are gone back through, from the one that is named to the one that it was to reuse itself, and so on. */
export const MAX_REUSED_RUNS = 16;
