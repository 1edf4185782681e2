import { CATALOG } from "../catalog.ts";

const WIDTH = 18;

/** `wf --help`. */
export function overview(): string {
  const lines = [
    "wf runs multi-step workflows and keeps every run as a plain directory.",
    "",
    "wf <command> [options]",
  ];
  for (const { group, commands } of CATALOG) {
    lines.push("", `${group}:`);
    for (const { usage, describe } of commands) lines.push(`  wf ${usage.padEnd(WIDTH)} ${describe}`);
  }
  lines.push(
    `  wf ${"completion".padEnd(WIDTH)} a script that completes commands, options and runs in bash, zsh or fish`,
    "",
    "wf <command> --help tells more, with examples; wf --version prints the version.",
    "",
    "A RUN is named by its path, its id, a unique part of its id, or `latest`.",
    "Exit codes: 0 done, 1 the run failed, 2 usage or an invalid file, 3 the run waits, 4 another engine drives it,",
    "5 the run directory is damaged, 6 wf itself could not go on, 129 130 143 stopped by a signal.",
  );
  return lines.join("\n");
}
