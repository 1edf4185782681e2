/** What `wf verify --repair` does about something that was found. */
export type Repair = "rebuild" | "cut" | "quarantine";

/** Each promise that the format makes, and what to do where it is broken. `docs/verifying.md` has an entry for each. */
export const RULES = {
  "journal-readable": {
    promise: "there is a journal, and it begins with run_created",
    todo: "restore the run from a copy: without the journal nothing else can be told apart",
  },
  "journal-line": {
    promise: "each line of the journal is one event as the schema has it",
    todo: "undo the change, or restore the run from a copy",
  },
  "journal-order": {
    promise: "seq counts from 1 without a gap, all lines are of one run, and no line stands twice",
    todo: "put the line back where it was, or restore the run from a copy",
  },
  "journal-end": {
    promise: "the journal ends with a whole line",
    todo: "wf resume keeps the bytes in progress.ndjson.torn-<n>, cuts them off and goes on",
  },
  "journal-story": {
    promise: "each line can follow from those before it",
    todo: "undo the change, or restore the run from a copy",
  },
  "journal-fenced": {
    promise: "only the engine that holds the claim writes; lines of one that had lost it do not count",
    todo: "nothing: a later engine had taken the run over, and no reader counts these lines",
  },
  "claim-kept": {
    promise: "claims count from 1 without a gap, and each engine of the journal has its own",
    todo: "restore lock/ from a copy; the run can be read and resumed without it",
  },
  "claim-intact": {
    promise: "a claim says who drove the run, as the journal does",
    todo: "restore the file from a copy; if no wf drives the run, on any machine, an empty free-<epoch> beside it lets the next one claim",
  },
  "snapshot-intact": {
    promise: "run.json is what the journal says up to the line that it names",
    todo: "undo the change",
  },
  "snapshot-ahead": {
    promise: "run.json knows no more than the journal holds",
    todo: "the journal has lost lines: restore it from a copy; if it was shortened on purpose, remove run.json and it is rebuilt",
  },
  "snapshot-behind": {
    promise: "what run.json lacks is in the journal",
    todo: "nothing: readers take the rest from the journal, and the next engine writes it",
  },
  "definition-intact": {
    promise: "the definition is the file that the run was created with, or went on with",
    todo: "undo the change: a run goes on with its own definition only",
  },
  "definition-files": {
    promise:
      "the files that a definition names are in prompts/ and workflows/ beside it, as they were when nested runs began with them",
    todo: "restore the file from a copy",
  },
  "attempt-folder": {
    promise: "each attempt of the journal has its folder, and each folder its attempt",
    todo: "restore the folder from a copy",
  },
  "attempt-record": {
    promise: "attempt.json is what attempt_ended holds",
    todo: "undo the change",
  },
  "attempt-files": {
    promise:
      "an attempt has the files that were made for it before it began, and those that its wrapper writes",
    todo: "restore the file from a copy; the run goes on without it",
  },
  "attempt-script": {
    promise: "script.sh is the step's script in workflow.yaml, and prompt.md has its prompt's words",
    todo: "undo the change: it no longer shows what ran",
  },
  "attempt-log": {
    promise: "a log is as long as it was when the attempt ended",
    todo: "restore the log from a copy; the run goes on without it",
  },
  "attempt-exit": {
    promise: "the exit status that the wrapper wrote is the one in the journal",
    todo: "undo the change: the journal's is the one that counts",
  },
  "nested-run": {
    promise:
      "the nested run of an attempt is a run of the step's workflow, and came to what the attempt's record says",
    todo: "undo the change, or restore the nested run from a copy",
  },
  "artifact-intact": {
    promise: "an artifact has the size and the SHA-256 that were recorded",
    todo: "restore it from a copy, or make it again with wf resume RUN --from its step",
  },
  "gate-intact": {
    promise: "gate.json is what was shown and decided on: its digest is its own, and the decision's",
    todo: "undo the change, or restore the file from a copy",
  },
  "request-intact": {
    promise: "a request that an engine has looked at is kept as it was",
    todo: "restore the file from a copy; the journal says what was done",
  },
  "request-pending": {
    promise: "an engine looks at each request once",
    todo: "nothing: the next engine looks at it",
  },
  "known-names": {
    promise: "nothing stands in a run but what the format names",
    todo: "move it out of the run",
  },
  "file-kind": {
    promise: "what the format calls a file is a file, a folder a folder, and neither is a link",
    todo: "put the file or folder itself in its place",
  },
  readable: {
    promise: "each file can be read by whoever may read the run",
    todo: "check who owns it and its mode",
  },
  "left-over": {
    promise: "what a crash leaves between two steps of a write counts for nothing",
    todo: "nothing: the next engine clears it away",
  },
  interrupted: {
    promise: "a run that says running is driven by somebody",
    todo: "wf resume goes on with it",
  },
  quarantine: {
    promise: "what a repair can not place is kept",
    todo: "nothing: look at it, and remove the folder when it is of no use any more",
  },
} as const satisfies Record<string, { readonly promise: string; readonly todo: string }>;

export type Rule = keyof typeof RULES;

/** Something that verify has to say of a run. */
export interface Finding {
  /** A note is no damage: the format allows it, and it is worth knowing. */
  readonly level: "damage" | "note";
  readonly rule: Rule;
  /** Relative to the run; `.` is the run as a whole. */
  readonly path: string;
  /** Of the journal, from 1. */
  readonly line?: number;
  readonly message: string;
  readonly todo: string;
  /** What `--repair` does; absent: it can not help. */
  readonly repair?: Repair;
}

const REPAIRS: Readonly<Record<Repair, string>> = {
  rebuild: "wf verify RUN --repair writes it again from the journal, and keeps what was there",
  cut: "wf verify RUN --repair or wf resume keeps the bytes in progress.ndjson.torn-<n> and cuts them off",
  quarantine: "wf verify RUN --repair moves it into quarantine/",
};

interface Details {
  readonly line?: number;
  readonly repair?: Repair;
  readonly todo?: string;
}

/** What is found, in the order in which it is. */
export class Findings {
  readonly all: Finding[] = [];

  damage(rule: Rule, path: string, message: string, details: Details = {}): void {
    this.#add("damage", rule, path, message, details);
  }

  note(rule: Rule, path: string, message: string, details: Details = {}): void {
    this.#add("note", rule, path, message, details);
  }

  /** Damage, unless a crash may have left it so. */
  unless(excused: boolean, rule: Rule, path: string, message: string, details: Details = {}): void {
    this.#add(excused ? "note" : "damage", rule, path, message, details);
  }

  get damaged(): boolean {
    return this.all.some(({ level }) => level === "damage");
  }

  #add(level: Finding["level"], rule: Rule, path: string, message: string, details: Details): void {
    const { line, repair } = details;
    const todo = details.todo ?? (repair === undefined ? RULES[rule].todo : REPAIRS[repair]);
    const finding = { level, rule, path, ...(line !== undefined && { line }), message, todo };
    this.all.push({ ...finding, ...(repair && { repair }) });
  }
}
