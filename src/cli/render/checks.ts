import type { Check } from "../doctor-checks.ts";
import { colors } from "./style.ts";
import { oneLine, table } from "./text.ts";

export function checksText(checks: readonly Check[], healthy: boolean): string {
  const rows = checks.map(({ name, status, detail, hint }) => [
    status,
    name,
    oneLine(hint === null ? detail : `${detail} (${hint})`),
  ]);
  const lines = table(rows, (cell, row, column) => (column === 0 ? paint(checks[row]?.status, cell) : cell));
  return [
    ...lines,
    "",
    healthy ? "runs can work here" : "runs can not work here until what failed is mended",
  ].join("\n");
}

function paint(status: Check["status"] | undefined, text: string): string {
  const c = colors();
  if (status === "ok") return c.green(text);
  return status === "warning" ? c.yellow(text) : c.red(text);
}
