import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { load } from "./launch.mjs";

// What becomes dist/cli.js.
const [first, ...more] = process.argv.slice(2);
// Asked for by every script that checks its tools: answered before anything else is read.
if (first === "--version" && more.length === 0) console.log(WF_VERSION);
else {
  const file = fileURLToPath(new URL("app.cjs", import.meta.url));
  load(file, readCache(`${file}.cache`)).app.main(process.argv.slice(2));
}

function readCache(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
