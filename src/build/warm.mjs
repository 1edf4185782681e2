import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "./launch.mjs";

// `node warm.mjs APP`: runs what users run most, so that it is compiled, and writes APP.cache.
const file = process.argv[2];
const folder = mkdtempSync(join(tmpdir(), "wf-build-"));
try {
  mkdirSync(join(folder, ".wf"));
  process.chdir(folder);
  delete process.env.WF_RUNS_DIR;
  delete process.env.GITHUB_ACTIONS;
  writeFileSync(
    "a.yaml",
    "id: a\ninputs: { name: { type: string, default: x } }\nsteps:\n  - { id: b, run: 'true {{inputs.name}}' }\n  - { id: c, run: 'true' }\n",
  );
  writeFileSync(
    "d.yaml",
    "id: d\nsteps:\n  - { id: e, needs: [], run: 'true' }\n  - { id: f, needs: [e], run: 'true' }\n",
  );
  process.stdout.write = () => true;
  const { app, script } = load(file);
  for (const line of [
    "run a.yaml",
    "run d.yaml --run-id d",
    "status latest",
    "ls",
    "progress d",
    "resume d",
  ]) {
    await app.main(line.split(" "));
    if (process.exitCode !== 0) throw new Error(`wf ${line} came to ${process.exitCode}`);
  }
  writeFileSync(`${file}.cache`, script.createCachedData());
} finally {
  process.chdir(tmpdir());
  rmSync(folder, { recursive: true, force: true });
}
