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

/** What was measured before, by the name of the figure. */
export type Before = ReadonlyMap<string, { readonly figure: number }>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** What later runs are held against: ratios to the base, and values where there is no base. Times alone promise nothing. */
export function figuresOf(table: Table): [string, number][] {
  return table.rows.flatMap((row): [string, number][] => {
    const figure = figureOf(table, row);
    return figure === undefined ? [] : [[`${table.title}: ${row.name}`, Number(figure.toPrecision(4))]];
  });
}

function figureOf({ base, rows }: Table, row: Row): number | undefined {
  if (row.name === base || row.samples.length === 0) return undefined;
  const of = rows.find(({ name }) => name === base);
  return of === undefined ? median(row.samples) : median(row.samples) / median(of.samples);
}

export function print(table: Table, before: Before): Missed[] {
  const missed: Missed[] = [];
  const base = table.rows.find(({ name }) => name === table.base);
  const width = Math.max(24, ...table.rows.map(({ name }) => name.length));
  console.log(`\n${table.title} (${table.unit})`);
  if (table.rows.length > 0) {
    const head = `${"".padEnd(width)}  ${"median".padStart(9)}  ${"min – max".padStart(19)}`;
    console.log(`  ${head}${base ? `  ÷ ${base.name}` : ""}`);
  }
  for (const row of table.rows) {
    const middle = median(row.samples);
    const range = `${number(Math.min(...row.samples))} – ${number(Math.max(...row.samples))}`;
    const ratio = base ? middle / median(base.samples) : undefined;
    const remarks: string[] = [];
    for (const [target, figure] of [
      [row.ratio, ratio],
      [row.value, middle],
    ] as const) {
      if (target === undefined || figure === undefined) continue;
      const verdict = judge(figure, target);
      remarks.push(`must ≤ ${target.must}, aim ≤ ${target.aim}: ${verdict}`);
      const what = `${table.title}: ${row.name} ${number(figure)}, must ≤ ${target.must}, aim ≤ ${target.aim}`;
      if (verdict !== "reached") missed.push({ what, must: verdict === "MUST MISSED" });
    }
    const change = changeOf(table, row, before);
    if (change !== undefined) remarks.push(change);
    const line = `${row.name.padEnd(width)}  ${number(middle).padStart(9)}  ${range.padStart(19)}`;
    const shown = ratio === undefined ? "" : `  ${ratio.toFixed(2).padStart(6)}`;
    console.log(`  ${line}${shown}${remarks.length > 0 ? `   ${remarks.join("; ")}` : ""}`);
  }
  for (const note of table.notes ?? []) console.log(`  ${note}`);
  return missed;
}

/** `before 3.42, −5 %` */
function changeOf(table: Table, row: Row, before: Before): string | undefined {
  const figure = figureOf(table, row);
  const earlier = before.get(`${table.title}: ${row.name}`)?.figure;
  if (figure === undefined || earlier === undefined) return undefined;
  const percent = Math.round((figure / earlier - 1) * 100);
  return `before ${number(earlier)}, ${percent > 0 ? "+" : percent < 0 ? "−" : "±"}${Math.abs(percent)} %`;
}

function judge(figure: number, { must, aim }: Target): "reached" | "aim missed" | "MUST MISSED" {
  if (figure > must) return "MUST MISSED";
  return figure > aim ? "aim missed" : "reached";
}

function number(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 100 ? value.toFixed(1) : value.toFixed(2);
}
