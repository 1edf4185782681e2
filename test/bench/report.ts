/** What a figure has to stay under. */
export interface Target {
  readonly must: number;
  readonly aim: number;
}

export interface Row {
  readonly name: string;
  /** Of each round. */
  readonly samples: readonly number[];
  /** Of the ratio to the base, or of the median itself. */
  readonly ratio?: Target;
  readonly value?: Target;
}

export interface Table {
  readonly title: string;
  readonly unit: string;
  /** The row that the others are held against. */
  readonly base?: string;
  readonly rows: readonly Row[];
  /** Sentences beneath. */
  readonly notes?: readonly string[];
}

/** A target that was missed, in one line. */
export interface Missed {
  readonly what: string;
  readonly must: boolean;
}

/**
 * Calls each entry once a round, in an order that shifts from round to round, so that what a machine does meanwhile
 * hits all alike. The first round warms the caches and does not count if there is more than one.
 */
export function alternate(
  rounds: number,
  entries: Readonly<Record<string, () => number>>,
  options: { readonly warmUp?: boolean } = {},
): ReadonlyMap<string, number[]> {
  const names = Object.keys(entries);
  const samples = new Map<string, number[]>(names.map((name) => [name, []]));
  if (options.warmUp) for (const name of names) entries[name]?.();
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < names.length; i += 1) {
      const name = names[(i + round) % names.length] as string;
      samples.get(name)?.push((entries[name] as () => number)());
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function print(table: Table): Missed[] {
  const missed: Missed[] = [];
  const base = table.rows.find(({ name }) => name === table.base);
  const width = Math.max(24, ...table.rows.map(({ name }) => name.length));
  const head = `${"".padEnd(width)}  ${"median".padStart(9)}  ${"min – max".padStart(19)}`;
  console.log(`\n${table.title} (${table.unit})`);
  console.log(`  ${head}${base ? `  ÷ ${base.name}` : ""}`);
  for (const row of table.rows) {
    const middle = median(row.samples);
    const range = `${number(Math.min(...row.samples))} – ${number(Math.max(...row.samples))}`;
    const ratio = base ? middle / median(base.samples) : undefined;
    const verdicts: string[] = [];
    for (const [target, figure] of [
      [row.ratio, ratio],
      [row.value, middle],
    ] as const) {
      if (target === undefined || figure === undefined) continue;
      const verdict = judge(figure, target);
      verdicts.push(`must ≤ ${target.must}, aim ≤ ${target.aim}: ${verdict}`);
      const what = `${table.title}: ${row.name} ${number(figure)}, must ≤ ${target.must}, aim ≤ ${target.aim}`;
      if (verdict !== "reached") missed.push({ what, must: verdict === "MUST MISSED" });
    }
    const line = `${row.name.padEnd(width)}  ${number(middle).padStart(9)}  ${range.padStart(19)}`;
    const shown = ratio === undefined ? "" : `  ${ratio.toFixed(2).padStart(6)}`;
    console.log(`  ${line}${shown}${verdicts.length > 0 ? `   ${verdicts.join("; ")}` : ""}`);
  }
  for (const note of table.notes ?? []) console.log(`  ${note}`);
  return missed;
}

function judge(figure: number, { must, aim }: Target): "reached" | "aim missed" | "MUST MISSED" {
  if (figure > must) return "MUST MISSED";
  return figure > aim ? "aim missed" : "reached";
}

function number(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 100 ? value.toFixed(1) : value.toFixed(2);
}
