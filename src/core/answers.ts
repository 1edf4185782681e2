/** The fixture that answers the attempts of a run. */
export interface AnswerSource {
  /** Its folder: `project:` and the way from the project, if it lies in that, else an absolute path. */
  readonly fixture: string;
  /** Of its canonical form, as `wf canon FIXTURE` prints it. */
  readonly sha256: string;
}

/** The attempt of a fixture that one was answered from: nothing ran. */
export interface AnsweredFrom {
  readonly fixture: string;
  /** Its folder in the fixture: `steps/build/attempt-1`. */
  readonly attempt: string;
  /** Of its `attempt.json`. */
  readonly sha256: string;
}
