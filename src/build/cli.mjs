import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "./launch.mjs";

// What becomes dist/cli.cjs. CommonJS, since Node's machinery for modules takes several milliseconds to begin with.
const [first, ...more] = process.argv.slice(2);
// Asked for by every script that checks its tools: answered before anything else is read.
if (first === "--version" && more.length === 0) console.log(WF_VERSION);
else {
  const file = join(import.meta.dirname, "app.cjs");
  load(file, readCache(`${file}.cache`)).app.main(process.argv.slice(2));
}

function readCache(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
