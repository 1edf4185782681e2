import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";

/**
 * Evaluates `app.cjs` with what V8 made of it when it was built. Without that, compiling is a third of the time of
 * a short command. For another version of Node the cache is refused, and the source is compiled as usual.
 */
export function load(file, cachedData) {
  // The file is ASCII: as latin1 it needs no decoding.
  const source = `(function(exports,require,module,__filename,__dirname){${readFileSync(file, "latin1")}\n})`;
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  const module = { exports: {} };
  script
    .runInThisContext()
    .call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
  return { app: module.exports, script };
}
