import type { JournalLine } from "../core/event.ts";
import { isTempName } from "../store/atomic-file.ts";
import { LOCK_FILES, RUN_FILES } from "../store/layout.ts";
import { type Owner, parseOwner } from "../store/owner.ts";
import { formatRecord } from "../store/record-text.ts";
import { ownIdentity } from "../system/identity.ts";
import { type Files, kindOf } from "./verify-files.ts";
import type { Findings } from "./verify-rules.ts";

/** Who has driven a run, and how each of them went. */
export class Claims {
  readonly owners: ReadonlyMap<number, Owner | null>;
  readonly freed: ReadonlySet<number>;
  /** The highest epoch that was claimed. */
  readonly latest: number;

  constructor(owners: ReadonlyMap<number, Owner | null>, freed: ReadonlySet<number>) {
    this.owners = owners;
    this.freed = freed;
    this.latest = Math.max(0, ...owners.keys());
  }

  /** The engine of that epoch came to no clean end, or has not come to one yet. */
  diedOrLives(epoch: number): boolean {
    return !this.freed.has(epoch);
  }

  /** The same, and the machine was started anew since, or is another: what was not synced may be gone. */
  mayHaveLostPower(epoch: number): boolean {
    if (!this.diedOrLives(epoch)) return false;
    const boot = this.owners.get(epoch)?.bootId;
    const later = [...this.owners].filter(([each]) => each > epoch).map(([, owner]) => owner?.bootId);
    return [...later, ownIdentity().bootId].some((each) => each !== boot);
  }
}

const OWNER = /^owner-([1-9]\d{0,14})\.json$/;
const FREE = /^free-([1-9]\d{0,14})$/;

/** `lock/`: claims count from 1 without a gap, can be understood, and agree with the journal. */
export function checkClaims(
  files: Files,
  lines: readonly JournalLine[],
  epochs: ReadonlyMap<number, number>,
  findings: Findings,
): Claims {
  const owners = new Map<number, Owner | null>();
  const freed = new Set<number>();
  for (const entry of files.list(RUN_FILES.lock)) {
    const { name } = entry;
    const path = `${RUN_FILES.lock}/${name}`;
    const owner = Number(OWNER.exec(name)?.[1] ?? 0);
    const free = Number(FREE.exec(name)?.[1] ?? 0);
    if (owner > 0) owners.set(owner, readOwner(files, entry, path, owner, findings));
    else if (free > 0) {
      freed.add(free);
      if (files.is(entry, path, "file") && files.size(path) !== 0)
        findings.damage("claim-intact", path, "it is not empty");
    } else if (name === LOCK_FILES.heartbeat) files.is(entry, path, "folder");
    else if (isTempName(name)) findings.note("left-over", path, "a write was cut off here");
    else findings.damage("known-names", path, "no claim has this name", { repair: "quarantine" });
  }
  const claims = new Claims(owners, freed);
  for (let epoch = 1; epoch <= claims.latest; epoch += 1) {
    if (!owners.has(epoch)) missing(epoch, epochs, findings);
  }
  for (const epoch of epochs.keys()) if (epoch > claims.latest) missing(epoch, epochs, findings);
  for (const epoch of freed) {
    if (owners.has(epoch)) continue;
    const path = `${RUN_FILES.lock}/${LOCK_FILES.free(epoch)}`;
    findings.damage(
      "claim-kept",
      path,
      `it says that engine ${epoch} is done, and no claim is of that engine`,
    );
  }
  for (const line of lines) if (line.event === "engine_started") agree(line, owners, findings);
  return claims;
}

function missing(epoch: number, epochs: ReadonlyMap<number, number>, findings: Findings): void {
  const line = epochs.get(epoch);
  const wrote = line === undefined ? "" : `, and line ${line} of the journal was written under it`;
  findings.damage(
    "claim-kept",
    `${RUN_FILES.lock}/${LOCK_FILES.owner(epoch)}`,
    `the claim is missing${wrote}`,
  );
}

/** Where there are no hard links a claim is a folder that holds the file. */
function readOwner(
  files: Files,
  entry: Parameters<typeof kindOf>[0],
  path: string,
  epoch: number,
  findings: Findings,
): Owner | null {
  const isFolder = kindOf(entry) === "folder";
  const inner = isFolder ? `${path}/${LOCK_FILES.owner(epoch)}` : path;
  const kind = isFolder ? files.kind(inner) : kindOf(entry);
  if (kind !== "file") {
    files.wrongKind(path, kind ?? "folder", "file");
    return null;
  }
  const text = files.text(inner) ?? "";
  const owner = parseOwner(text);
  if (owner === undefined) findings.damage("claim-intact", path, "it does not say who drove the run");
  else if (owner.epoch !== epoch)
    findings.damage("claim-intact", path, `it says that it is of epoch ${owner.epoch}`);
  else if (formatRecord(owner) !== text)
    findings.damage("claim-intact", path, "it is not laid out as wf writes it: it has been changed");
  return owner ?? null;
}

function agree(
  line: JournalLine & { readonly event: "engine_started" },
  owners: ReadonlyMap<number, Owner | null>,
  findings: Findings,
): void {
  const owner = owners.get(line.epoch);
  if (!owner) return;
  const said = { ...line.volatile, version: line.version };
  for (const key of ["pid", "host", "machineId", "pidNamespace", "version"] as const) {
    if (owner[key] === said[key]) continue;
    const path = `${RUN_FILES.lock}/${LOCK_FILES.owner(line.epoch)}`;
    const what = `its ${key} is ${JSON.stringify(owner[key])}, and line ${line.seq} of the journal says ${JSON.stringify(said[key])}`;
    findings.damage("claim-intact", path, what);
  }
}
