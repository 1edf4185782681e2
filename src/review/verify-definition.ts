import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import type { DefinitionIn } from "../core/state.ts";
import type { Step, Workflow } from "../core/workflow.ts";
import { type FileUse, type Loaded, loadWorkflow, type Selection } from "../language/load.ts";
import { readCopies } from "../store/copies.ts";
import { copyPath, RUN_FILES } from "../store/layout.ts";
import type { Files } from "./verify-files.ts";
import type { Findings } from "./verify-rules.ts";

type Created = JournalLine & { readonly event: "run_created" };

/** One definition that a run goes by, from a line of its journal on. */
interface Definition {
  readonly from: number;
  /** With `/` at its end; empty for the run itself. */
  readonly folder: string;
  readonly file: string;
  /** Null if it can not be read. */
  readonly workflow: Workflow | null;
  readonly steps: ReadonlyMap<string, Step>;
}

/** The definitions that a run has gone by, in their order; nothing is asked of one that can not be read. */
export class Definitions {
  readonly #all: readonly Definition[];

  constructor(all: readonly Definition[]) {
    this.#all = all;
  }

  get first(): Workflow | null {
    return this.#all[0]?.workflow ?? null;
  }

  /** Ids of the steps that are approvals. */
  get approvals(): string[] {
    const steps = this.#all.flatMap((each) => [...each.steps.values()]);
    return [...new Set(steps.filter(({ type }) => type === "approval").map(({ id }) => id))];
  }

  /** As the newest definition has it that has a step of that name. */
  step(id: string): Step | undefined {
    return this.#all.findLast(({ steps }) => steps.has(id))?.steps.get(id);
  }

  /** As the definition had it when that line was written. */
  stepAt(id: string, seq: number): Step | undefined {
    return this.#all.findLast(({ from }) => from <= seq)?.steps.get(id);
  }

  has(file: string): boolean {
    return this.#all.some((each) => each.file === file && each.workflow !== null);
  }

  readonly in: DefinitionIn = (file) => {
    const workflow = this.#all.find((each) => each.file === file)?.workflow;
    if (!workflow) throw new Error(`the definition ${file} can not be read`);
    return workflow;
  };

  /** What a step ran when that line was written: its id, and where it stands. */
  nestedAt(step: string, seq: number): { readonly id: string; readonly path: string } | null {
    const at = this.#all.findLast(({ from }) => from <= seq);
    const own = at?.steps.get(step);
    if (!at || own?.type !== "workflow") return null;
    const { id, file } = own.definition;
    return { id, path: file === undefined ? at.file : at.folder + copyPath(file, "workflow") };
  }
}

/** The definitions of a run: those that the journal names, and nothing that they name is missing. */
export function checkDefinitions(
  files: Files,
  lines: readonly JournalLine[],
  reader: DefinitionReader,
  findings: Findings,
): Definitions {
  const created = lines[0];
  if (files.kind(RUN_FILES.definition) === null)
    findings.damage("definition-intact", RUN_FILES.definition, "it is missing");
  if (created?.event !== "run_created") return new Definitions([]);
  const check = (file: string, from: number, sha256: string, by: string): Definition => {
    const folder = dirname(file) === "." ? "" : `${dirname(file)}/`;
    const workflow = checkDefinition({ files, reader, findings }, { file, folder, created, sha256, by });
    const steps = new Map(workflow?.steps.map((step) => [step.id, step]));
    return { from, folder, file, workflow, steps };
  };
  const all = [check(RUN_FILES.definition, 1, created.workflow.sha256, "run_created")];
  for (const line of lines) {
    if (line.event !== "definition_changed") continue;
    if (files.kind(line.file) === null) findings.damage("definition-intact", line.file, "it is missing");
    all.push(check(line.file, line.seq, String(line.new), `line ${line.seq} of the journal`));
  }
  checkLeft(files, new Set(all.map(({ folder }) => folder.slice(0, -1))), findings);
  return new Definitions(all);
}

function checkDefinition(
  { files, reader, findings }: { files: Files; reader: DefinitionReader; findings: Findings },
  {
    file,
    folder,
    created,
    sha256,
    by,
  }: { file: string; folder: string; created: Created; sha256: string; by: string },
): Workflow | null {
  const bytes = files.read(file);
  if (bytes === null) return null;
  if (digestOf(bytes) !== sha256) {
    findings.damage("definition-intact", file, `its SHA-256 is not the one of ${by}`);
    return null;
  }
  const { loaded, named: read } = reader.read(join(files.runDir, file), bytes, created.workflow);
  const copyOf = ({ path, use }: Read["named"][number]) => folder + copyPath(path, use);
  const named = new Set(read.map(copyOf));
  const missing = new Set(read.filter((each) => each.sha256 === null).map(copyOf));
  for (const copy of missing) {
    findings.damage("definition-files", copy, "it is missing, and the definition names it");
  }
  for (const copies of [RUN_FILES.prompts, RUN_FILES.workflows]) {
    checkCopies(files, folder + copies, named, findings);
  }
  if (loaded.ok) return loaded.workflow;
  if (missing.size === 0) {
    const [{ message, position }] = loaded.problems;
    const what = `this version of wf can not read it: ${message}`;
    // The file itself is as it was: what is wrong in a copy is named there.
    const at = position?.file ?? "";
    const copy = [copyPath(at, "workflow"), copyPath(at, "prompt")].find((each) => named.has(folder + each));
    if (copy === undefined) findings.damage("definition-intact", file, what);
    else findings.damage("definition-files", folder + copy, what);
  }
  return null;
}

/** What is in `prompts/` or `workflows/`, which nothing but the definition names. */
function checkCopies(files: Files, folder: string, named: ReadonlySet<string>, findings: Findings): void {
  if (files.kind(folder) !== "folder") return;
  for (const entry of files.list(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory() && [...named].some((each) => each.startsWith(`${path}/`)))
      checkCopies(files, path, named, findings);
    else if (named.has(path)) files.is(entry, path, "file");
    else findings.damage("known-names", path, "the definition names no such file", { repair: "quarantine" });
  }
}

/** What is in `definitions/` and its folders: what the journal does not name was left there before it could. */
function checkLeft(files: Files, named: ReadonlySet<string>, findings: Findings): void {
  if (files.kind(RUN_FILES.definitions) !== "folder") return;
  const own = new Set<string>([RUN_FILES.definition, RUN_FILES.prompts, RUN_FILES.workflows]);
  for (const entry of files.list(RUN_FILES.definitions)) {
    const path = `${RUN_FILES.definitions}/${entry.name}`;
    if (!/^[1-9]\d{0,8}$/.test(entry.name))
      findings.damage("known-names", path, "no definition has this name", { repair: "quarantine" });
    else if (!named.has(path))
      findings.note("left-over", path, "a change of the definition was cut off here");
    else if (files.is(entry, path, "folder")) {
      for (const { name } of files.list(path)) {
        if (own.has(name)) continue;
        const what = "a definition has nothing of this name";
        findings.damage("known-names", `${path}/${name}`, what, { repair: "quarantine" });
      }
    }
  }
}

interface Read {
  readonly loaded: Loaded;
  /** The files that it names, with their digests; null: there is none. */
  readonly named: readonly { readonly path: string; readonly use: FileUse; readonly sha256: string | null }[];
}

/** Reads definitions; those of nested runs are mostly the same, and each is read once. */
export class DefinitionReader {
  readonly #known = new Map<string, Read>();

  /** @param path of the file, in the folder that has the copies of what it names */
  read(path: string, bytes: Uint8Array, { id, step }: Selection): Read {
    const copies = readCopies(dirname(path));
    const digestIn = (name: string, use: FileUse) => {
      const content = copies(name, use);
      return content && digestOf(content);
    };
    const key = JSON.stringify([digestOf(bytes), id, step]);
    const known = this.#known.get(key);
    if (known?.named.every((each) => digestIn(each.path, each.use) === each.sha256)) return known;
    const named: Read["named"][number][] = [];
    const readFile = (name: string, use: FileUse) => {
      named.push({ path: name, use, sha256: digestIn(name, use) });
      return copies(name, use);
    };
    const loaded = loadWorkflow({ path: basename(path), bytes, readFile }, { id, step });
    const read = { loaded, named };
    this.#known.set(key, read);
    return read;
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
