import { isJsonObject, type Json } from "../core/json.ts";
import { outputJson } from "../core/output-value.ts";
import type { RunRecord, StepRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { RUN_FILES } from "../store/layout.ts";
import { drawnIn } from "./fixture-drawn.ts";
import { stepRows } from "./fixture-steps.ts";
import { pictureOf } from "./picture.ts";
import { mermaid } from "./picture-mermaid.ts";
import type { Recorded } from "./replay-record.ts";

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
    stepsTable(recorded, workflow),
    `\`\`\`mermaid\n${mermaid(pictureOf(workflow, { drawn: drawnIn(recorded, workflow), ways: "taken" }))}\`\`\``,
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

function stepsTable(recorded: Recorded, workflow: Workflow): string {
  const { rows, left } = stepRows(recorded, workflow);
  const lines = rows.map(
    ({ name, record, value }) =>
      `| ${code(name)} | ${record.status} | ${record.attempts} | ${whatCame(record, value)} |`,
  );
  if (left > 0) lines.push(`| … | | | ${left} more |`);
  return ["| step | status | attempts | what came of it |", "|---|---|---|---|", ...lines].join("\n");
}

function whatCame(
  { error, because, decision, outputs, allowed, items }: StepRecord,
  value: Json | undefined,
): string {
  if (because !== undefined) return [...itemCell(value), cell(because)].join(": ");
  if (error) {
    const failed = `${cell(error.message)} (${code(error.code)})${allowed ? ", and may fail" : ""}`;
    return [...itemCell(value), failed].join(": ");
  }
  const said = [...itemCell(value), ...(items ? [cell(itemsText(items))] : [])];
  if (decision !== undefined) said.push(`**${decision}**`);
  const named = Object.entries(outputs ?? {}).flatMap(([key, output]) => {
    if (key === "decision" && decision !== undefined) return [];
    const value = outputJson(output, ({ file, bytes }) => `${file} (${bytes} bytes)`);
    return [`${cell(key)} = ${valueCell(value)}`];
  });
  return [...said, ...named].join("<br>");
}

/** What an item is. */
function itemCell(value: Json | undefined): string[] {
  return value === undefined ? [] : [code(typeof value === "string" ? value : JSON.stringify(value))];
}

/** `3 items: 2 succeeded, 1 skipped`. */
function itemsText({ total, ...counts }: NonNullable<StepRecord["items"]>): string {
  const parts = Object.entries(counts).map(([status, count]) => `${count} ${status}`);
  return `${total} ${total === 1 ? "item" : "items"}${parts.length > 0 ? `: ${parts.join(", ")}` : ""}`;
}

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
