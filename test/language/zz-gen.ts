import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { formatProblems } from "/tmp/i3/src/language/format-problem.ts";
import { loadWorkflow } from "/tmp/i3/src/language/load.ts";

const dir = "/tmp/i3/fixtures/workflows/bad/";
for (const name of process.argv.slice(2)) {
  const loaded = loadWorkflow({
    path: `${name}.yaml`,
    bytes: readFileSync(`${dir}${name}.yaml`),
    readFile: (p) => (existsSync(dir + p) ? readFileSync(dir + p) : null),
  });
  const text = loaded.ok ? "OK\n" : formatProblems(loaded.problems);
  writeFileSync(`${dir}${name}.txt`, text);
  console.log(text);
}
