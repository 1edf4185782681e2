import { isJsonObject, type Json } from "../core/json.ts";
import { outputJson } from "../core/output-value.ts";
import type { RunRecord, StepRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { RUN_FILES } from "../store/layout.ts";
import type { Recorded, Stretch } from "./replay-record.ts";

/** Beside the files of a fixture; made from them. */
export const PAGE = "README.md";

const MAX_CELL = 160;

/** What a code host shows of a fixture's folder: what ran, step by step, and a picture of it. It depends on the fixture alone. */
export function pageOf(recorded: Recorded, workflow: Workflow): string {
  const record = JSON.parse(recorded.files.get(RUN_FILES.snapshot) ?? "{}") as RunRecord;
  const parts = [
    `# A run of ${code(workflow.id)}`,
    ...(workflow.description ? [cell(workflow.description)] : []),
    verdict(record),
    ...inputsTable(record),
    stepsTable(workflow, record),
    `\`\`\`mermaid\n${graph(workflow, record, recorded)}\`\`\``,
    ...outputsTable(record),
    CLOSING,
  ];
  return `${parts.join("\n\n")}\n`;
}

const CLOSING =
  "Made by `wf fixture save`. `wf fixture check` drives the workflow against it without running anything; `wf fixture update` takes over changed scripts and prompts.";

function verdict({ status, reason, iterations }: RunRecord): string {
  const attempts = `${iterations} ${iterations === 1 ? "attempt" : "attempts"}`;
  if (!reason) return `It **${status}** after ${attempts}.`;
  const where = reason.step === undefined ? "" : ` at ${code(reason.step)}`;
  return `It **${status}**${where} after ${attempts}: ${cell(reason.message)} (${code(reason.code)})`;
}

function inputsTable({ inputs }: RunRecord): string[] {
  const rows = Object.entries(inputs).map(([name, value]) => `| ${code(name)} | ${valueCell(value)} |`);
  return rows.length === 0 ? [] : [["| input | value |", "|---|---|", ...rows].join("\n")];
}

function outputsTable({ outputs }: RunRecord): string[] {
  const rows = Object.entries(outputs).map(([name, value]) => `| ${code(name)} | ${valueCell(value)} |`);
  return rows.length === 0 ? [] : [["| output | value |", "|---|---|", ...rows].join("\n")];
}

function stepsTable({ steps }: Workflow, record: RunRecord): string {
  const rows = steps.map(({ id }) => {
    const step = record.steps[id] ?? { status: "pending" as const, attempts: 0 };
    return `| ${code(id)} | ${step.status} | ${step.attempts} | ${whatCame(step)} |`;
  });
  return ["| step | status | attempts | what came of it |", "|---|---|---|---|", ...rows].join("\n");
}

function whatCame({ error, because, decision, outputs, allowed }: StepRecord): string {
  if (because !== undefined) return cell(because);
  if (error) return `${cell(error.message)} (${code(error.code)})${allowed ? ", and may fail" : ""}`;
  const said = decision === undefined ? [] : [`**${decision}**`];
  const named = Object.entries(outputs ?? {}).flatMap(([key, output]) => {
    if (key === "decision" && decision !== undefined) return [];
    const value = outputJson(output, ({ file, bytes }) => `${file} (${bytes} bytes)`);
    return [`${cell(key)} = ${valueCell(value)}`];
  });
  return [...said, ...named].join("<br>");
}

function graph(workflow: Workflow, record: RunRecord, { stretches }: Recorded): string {
  const lines = ["flowchart TD"];
  for (const { id, index, type } of workflow.steps) {
    const status = record.steps[id]?.status ?? "pending";
    const [open, close] = type === "approval" ? ["{{", "}}"] : ["[", "]"];
    lines.push(`  s${index}${open}"${id}"${close}:::${status}`);
  }
  lines.push(...(workflow.shape === "graph" ? needs(workflow) : ways(workflow, stretches)));
  for (const [status, style] of Object.entries(STYLES)) lines.push(`  classDef ${status} ${style}`);
  return `${lines.join("\n")}\n`;
}

const STYLES = {
  succeeded: "fill:#d3f9d8,stroke:#2b8a3e,color:#000",
  failed: "fill:#ffe3e3,stroke:#c92a2a,color:#000",
  skipped: "fill:#f1f3f5,stroke:#868e96,color:#495057,stroke-dasharray:4",
  canceled: "fill:#fff3bf,stroke:#e67700,color:#000",
  pending: "fill:#fff,stroke:#adb5bd,color:#868e96",
} as const;

function needs({ steps }: Workflow): string[] {
  return steps.flatMap(({ index, needs: before }) => before.map((need) => `  s${need} --> s${index}`));
}

/** The ways that were taken, with how often where it was more than once. */
function ways(workflow: Workflow, stretches: readonly Stretch[]): string[] {
  const indexOf = new Map(workflow.steps.map(({ id, index }) => [id, `s${index}`]));
  const taken = new Map<string, { readonly why: string; times: number }>();
  const ends = new Set<string>();
  for (const { from, to, because } of stretches.flatMap(({ transitions }) => transitions)) {
    const target = indexOf.get(to) ?? to;
    if (!indexOf.has(to)) ends.add(to);
    const key = `${indexOf.get(from)} ${target}`;
    const way = taken.get(key) ?? { why: WHY[because.code] ?? "", times: 0 };
    way.times += 1;
    taken.set(key, way);
  }
  const shown = [...taken].map(([key, { why, times }]) => {
    const [from, to] = key.split(" ");
    const label = [why, times > 1 ? `${times} times` : ""].filter((text) => text !== "").join(", ");
    return `  ${from} -->${label === "" ? "" : `|${label}|`} ${to}`;
  });
  return [...[...ends].sort().map((end) => `  ${end}((${end}))`), ...shown];
}

const WHY: Readonly<Record<string, string>> = {
  NEXT_KEY: "next",
  SKIPPED: "skipped",
  ALLOWED_FAILURE: "failed, and may",
  APPROVED: "approved",
  REJECTED: "rejected",
};

function valueCell(value: Json): string {
  if (isJsonObject(value) && "$secret" in value) return "a secret";
  return value === null ? "" : code(typeof value === "string" ? value : JSON.stringify(value));
}

/** Text in a cell of a table. */
function cell(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const short = line.length > MAX_CELL ? `${line.slice(0, MAX_CELL)}…` : line;
  return short.replace(/[\\`*_{}[\]<>#|~]/g, "\\$&");
}

function code(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const short = line.length > MAX_CELL ? `${line.slice(0, MAX_CELL)}…` : line;
  if (short === "") return "";
  const fence = short.includes("`") ? "``" : "`";
  const space = short.includes("`") ? " " : "";
  return `${fence}${space}${short.replaceAll("|", "\\|")}${space}${fence}`;
}
