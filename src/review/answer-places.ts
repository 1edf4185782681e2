import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { FileOutput } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import { Digests, RunCleaner } from "./canon-clean.ts";
import { cutFile } from "./canon-cut.ts";
import { PLACEHOLDERS, Places } from "./canon-places.ts";
import { redactor } from "./canon-redact.ts";
import { TextComparison } from "./replay-texts.ts";

/** The run that is answered; the outermost one, if runs are nested in it. */
export interface AnsweredRun {
  readonly runDir: string;
  readonly runId: string;
  readonly project: string;
}

const ANY = new RegExp(Object.values(PLACEHOLDERS).join("|"), "g");

/** Between a run that is driven and the canonical form: what it has is brought there, what a fixture has is put back. */
export class AnswerPlaces {
  /** Brings records of the run into their canonical form. */
  readonly cleaner: RunCleaner;
  readonly #texts: TextComparison;
  readonly #digests = new Digests();
  readonly #artifacts = new Map<string, string>();
  readonly #real: Readonly<Record<string, string>>;

  /** `definition`: all of it that the run has, as text. */
  constructor(
    { runDir, runId, project }: AnsweredRun,
    { redact, definition }: { readonly redact: readonly string[]; readonly definition: string },
  ) {
    const here = { run: runDir, project, home: homedir(), tmp: tmpdir() };
    const places = new Places({
      runId,
      run: [here.run],
      project: [here.project],
      home: [here.home],
      tmp: [here.tmp],
      definition,
    });
    this.cleaner = new RunCleaner(runDir, { places, redact: redactor(redact), digests: this.#digests });
    this.#texts = new TextComparison(redact);
    this.#real = {
      [PLACEHOLDERS.runId]: runId,
      ...Object.fromEntries(Object.entries(here).map(([place, path]) => [`<${place}>`, path])),
    };
  }

  /** Whether a text of the run means what the fixture has. */
  isSame(recorded: string, now: string): boolean {
    return recorded === now || this.#texts.isSame(recorded, this.cleaner.free(now), false);
  }

  /** The digest that an artifact has in the canonical form; from now on the cleaner knows it too. */
  digestOf({ file, sha256 }: Pick<FileOutput, "file" | "sha256">, runDir: string): string {
    const known = this.#artifacts.get(sha256);
    if (known !== undefined) return known;
    const { changed } = cutFile(join(runDir, file), (text) => this.cleaner.free(text), false);
    if (changed) this.#digests.files.set(changed.from, changed.to);
    const digest = changed?.to.sha256 ?? sha256;
    this.#artifacts.set(sha256, digest);
    return digest;
  }

  /** What was replaced has the places of this run; what was redacted stays so. */
  shown(text: string): string {
    return text.replace(ANY, (found) => this.#real[found] ?? found);
  }

  /** The same of what counts; null if nobody knows what it was. */
  back(text: string): string | null {
    return text.includes(PLACEHOLDERS.redacted) ? null : this.shown(text);
  }

  /** The same of a value; undefined if nobody knows what it was. */
  valueBack(value: Json): Json | undefined {
    if (typeof value === "string") return this.back(value) ?? undefined;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      const items = value.map((item) => this.valueBack(item));
      return items.includes(undefined) ? undefined : (items as Json[]);
    }
    const members = Object.entries(value).map(([key, member]) => [this.back(key), this.valueBack(member)]);
    const isKnown = members.every(([key, member]) => key !== null && member !== undefined);
    return isKnown ? (Object.fromEntries(members) as Json) : undefined;
  }
}
