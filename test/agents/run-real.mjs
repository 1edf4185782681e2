// `npm run test:agents`: installs the real clients from the npm registry into a temporary folder, and runs real.ts with
// them. $WF_AGENT_CLIENTS names a folder in which they are installed already. Arguments go to the test runner.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const given = process.env.WF_AGENT_CLIENTS;
const dir = given ?? mkdtempSync(join(tmpdir(), "wf-clients-"));

function run(program, args, env = process.env) {
  const { status } = spawnSync(program, args, { cwd: root, env, stdio: "inherit" });
  return status ?? 1;
}

function main() {
  if (!given) {
    const packages = ["@anthropic-ai/claude-code", "@openai/codex"];
    const status = run("npm", ["install", "--prefix", dir, "--no-audit", "--no-fund", ...packages]);
    if (status !== 0) return status;
  }
  const env = { ...process.env, WF_AGENT_CLIENTS: dir };
  for (const client of ["claude", "codex"]) run(join(dir, "node_modules/.bin", client), ["--version"], env);
  return run(process.execPath, ["src/build/test.mjs", "test/agents/real.ts", ...process.argv.slice(2)], env);
}

try {
  process.exitCode = main();
} finally {
  if (!given) rmSync(dir, { recursive: true, force: true });
}
