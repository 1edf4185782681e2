import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// `npm run build`: src/ → dist/, with the dependencies in it, so that starting `wf` reads a handful of files.
const root = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

rmSync(`${root}dist`, { recursive: true, force: true });

await build({
  absWorkingDir: root,
  entryPoints: { cli: "src/cli/main.ts", index: "src/index.ts" },
  outdir: "dist",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  // What a command does not need (yaml, ajv, the engine) is in a file of its own and is not read.
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  define: { WF_VERSION: JSON.stringify(version) },
  alias: {
    // Their imports build three `Intl.Segmenter`s, which is more than half of what yargs costs at start-up.
    "string-width": `${root}src/build/shims/string-width.mjs`,
    "wrap-ansi": `${root}src/build/shims/wrap-ansi.mjs`,
  },
  banner: {
    // The CommonJS packages among the dependencies call `require("fs")`.
    js: 'import{createRequire as wfRequire}from"node:module";const require=wfRequire(import.meta.url);',
  },
  logLevel: "warning",
});

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const declarations = ["--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--rootDir", "src"];
const config = ["--project", "src/build/tsconfig.types.json", "--outDir", "dist/types"];
try {
  execFileSync(process.execPath, [tsc, ...config, ...declarations], { cwd: root, stdio: "inherit" });
} catch {
  console.error("wf: the declarations in dist/types could not be made; see above");
  process.exitCode = process.env.WF_BUILD_LENIENT === "1" ? 0 : 1;
}
