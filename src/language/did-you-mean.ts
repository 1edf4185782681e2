/** Above this the search would cost more than it helps. */
const MAX_CANDIDATES = 1000;
const LISTED_NAMES = 20;

/** Names to choose from. A map or set of many thousands is not copied to say that there are too many. */
export type Candidates = readonly string[] | ReadonlySet<string> | ReadonlyMap<string, unknown>;

const countOf = (names: Candidates) => ("size" in names ? names.size : names.length);
const namesOf = (names: Candidates): Iterable<string> => ("size" in names ? names.keys() : names);

/** The candidate that was most likely meant, or null. */
export function nearest(name: string, candidates: Candidates): string | null {
  if (countOf(candidates) > MAX_CANDIDATES || name.length > 80) return null;
  let best: string | null = null;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of namesOf(candidates)) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Inserted, deleted, changed and swapped letters. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last: number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** `a, b and 3 more`; `none` if there are none. */
export function listNames(names: Candidates, most = LISTED_NAMES): string {
  const shown: string[] = [];
  for (const name of namesOf(names)) {
    if (shown.length === most) break;
    shown.push(name);
  }
  if (shown.length === 0) return "none";
  const more = countOf(names) - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/** `did you mean "x"? known: a, b`, the first sentence only where there is such a name. */
export function suggest(name: string, candidates: Candidates, what = "known"): string {
  const near = nearest(name, candidates);
  const list = `${what}: ${listNames(candidates)}`;
  return near === null ? list : `did you mean "${near}"? ${list}`;
}
