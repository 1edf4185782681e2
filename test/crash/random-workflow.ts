/* Workflows made at random, and changes of one line each that mean something. */
import fc from "fast-check";

/** A workflow file, one key on a line, and the same with one line changed. */
export interface RandomWorkflow {
  readonly text: string;
  readonly mutated: string;
  /** The changed line, from 1. */
  readonly line: number;
  readonly what: string;
}

const KINDS = [
  "plain",
  "output",
  "reader",
  "flaky",
  "allowed",
  "fan",
  "nested",
  "nested fan",
  "skipped",
  "gate",
] as const;
type Kind = (typeof KINDS)[number];

interface Draw {
  readonly kind: Kind;
  readonly needs: readonly boolean[];
  readonly word: string;
  readonly items: readonly number[];
}

const draw = fc.record<Draw>({
  kind: fc.constantFrom(...KINDS),
  needs: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  word: fc.constantFrom("ash", "birch", "cedar", "elm"),
  items: fc.array(fc.nat(9), { maxLength: 3 }),
});

/** Two to six steps, a sequence or a graph, and which line is changed. */
export const randomWorkflow = fc
  .tuple(fc.constantFrom("sequence", "graph"), fc.array(draw, { minLength: 2, maxLength: 6 }), fc.nat(99))
  .map(([shape, draws, pick]) => write(shape === "graph", draws, pick));

function write(isGraph: boolean, draws: readonly Draw[], pick: number): RandomWorkflow {
  const lines = ["id: random", "limits: { max_parallel: 2 }", "steps:"];
  const changes: { at: number; to: string; what: string }[] = [];
  const put = (line: string, to?: string, what = "") => {
    if (to !== undefined) changes.push({ at: lines.length, to, what });
    lines.push(line);
  };
  draws.forEach((one, n) => {
    const needs = isGraph ? draws.flatMap((_, m) => (m < n && one.needs[m] ? [m] : [])) : [];
    const backTo = draws.slice(0, n).findLastIndex((each, m) => kindOf(each.kind, isGraph, m) !== "skipped");
    const kind = one.kind === "gate" && backTo < 0 ? "plain" : kindOf(one.kind, isGraph, n);
    const source = sourceFor(draws, isGraph ? needs : [...draws.keys()].slice(0, n), isGraph);
    put(`  - id: s${n}`);
    if (isGraph) put(`    needs: [${needs.map((m) => `s${m}`).join(", ")}]`);
    for (const [line, to, what] of body(kind, one, n, source, backTo))
      put(`    ${line}`, to === undefined ? undefined : `    ${to}`, what);
  });
  const change = changes[pick % changes.length] as (typeof changes)[number];
  const mutated = lines.map((line, at) => (at === change.at ? change.to : line));
  const text = (of: readonly string[]) => `${of.join("\n")}\n`;
  return { text: text(lines), mutated: text(mutated), line: change.at + 1, what: change.what };
}

/** A gate leads back, which a graph can not. */
function kindOf(kind: Kind, isGraph: boolean, n: number): Kind {
  return kind === "gate" && (isGraph || n === 0) ? "plain" : kind;
}

/** A step whose output can be read, if there is one. */
function sourceFor(draws: readonly Draw[], among: readonly number[], isGraph: boolean): number | undefined {
  return among.find((m) => kindOf(draws[m]?.kind ?? "plain", isGraph, m) === "output");
}

type Line = readonly [line: string, to?: string | undefined, what?: string];

function body(
  kind: Kind,
  { word, items }: Draw,
  n: number,
  source: number | undefined,
  backTo: number,
): Line[] {
  const run = (script: string, to?: string): Line => [
    `run: '${script}'`,
    to === undefined ? undefined : `run: '${to}'`,
    "script",
  ];
  switch (kind) {
    case "plain":
      return [run(`echo ${word}`, `echo not ${word}`)];
    case "output":
      return [
        run(
          `echo "x=${word}" >> "$WF_OUTPUT"; echo "list=[1,2]" >> "$WF_OUTPUT"`,
          "echo nothing of the kind",
        ),
      ];
    case "reader":
      return source === undefined
        ? [run(`echo ${word}`, `echo "${word}"`)]
        : [run(`echo "{{steps.s${source}.outputs.x}}"`, `echo "got {{steps.s${source}.outputs.x}}"`)];
    case "flaky":
      return [
        ["retry: { max: 2, delay: 1ms }", "retry: { max: 0, delay: 1ms }", "retry"],
        run(`grep -qx 1 "$WF_RUN_DIR"/steps/s${n}/attempt-*/exit`),
      ];
    case "allowed":
      return [["allow_failure: true", "allow_failure: false", "allow_failure"], run("echo no >&2; exit 3")];
    case "fan":
      return [
        [`foreach: ${JSON.stringify(items)}`, `foreach: ${JSON.stringify([...items, 77])}`, "foreach"],
        run('echo "item {{item}} at {{item_index}}"; echo "y={{item}}" >> "$WF_OUTPUT"'),
      ];
    case "nested":
    case "nested fan": {
      const isFan = kind === "nested fan";
      const given = isFan ? "{{item}}" : word;
      return [
        // One for which its `when` is true.
        ...(isFan ? [[`foreach: ${JSON.stringify([...items, 8])}`] as const] : []),
        ["workflow:"],
        ["  inputs: [x]"],
        ["  steps:"],
        ["    - id: first"],
        [
          `      run: 'echo "y={{inputs.x}}" >> "$WF_OUTPUT"'`,
          `      run: 'echo "y=not {{inputs.x}}" >> "$WF_OUTPUT"'`,
          "nested script",
        ],
        ["    - id: second"],
        [`      when: inputs.x != 3`, `      when: inputs.x == "none"`, "nested when"],
        [`      run: 'echo "{{steps.first.outputs.y}}"'`],
        ["  outputs: { y: '{{steps.first.outputs.y}}' }"],
        [`with: { x: '${given}' }`, `with: { x: 'not ${given}' }`, "with"],
      ];
    }
    case "skipped":
      return [["when: 1 == 2", "when: 1 == 1", "when"], run(`echo never ${word}`)];
    case "gate": {
      // A step that runs: the record of the rejection is there by the time that this one is asked again.
      const to = backTo;
      const other = to === 0 ? "fail" : "s0";
      const seen = `grep -qs "\\"decision\\": \\"reject\\"" "$WF_RUN_DIR"/steps/s${n}/attempt-*/attempt.json`;
      return [
        [`on_reject: s${to}`, `on_reject: ${other}`, "on_reject"],
        run(
          `if ${seen}; then echo "decision=approve"; else echo "decision=reject"; echo "feedback=${word}"; fi >> "$WF_OUTPUT"`,
        ),
      ];
    }
    default:
      return kind satisfies never;
  }
}
