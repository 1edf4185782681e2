import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { lateBuiltins, lateRequires, quietYaml } from "./plugins.mjs";

// `npm run build`: src/ → dist/, with the dependencies in it, so that starting `wf` reads a handful of files.
//   dist/cli.cjs        what bin/wf.js requires: answers --version, else starts app.cjs
//   dist/app.cjs        the command line; dist/app.cjs.cache is what V8 made of it
//   dist/mask.js        the process around each step of a run with secrets
//   dist/index.js       the library; dist/types its declarations
const root = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const inTests = process.argv.includes("--quick");

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node20",
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  define: { WF_VERSION: JSON.stringify(version) },
  logLevel: "warning",
};

// Beside and then renamed: a wf that is started meanwhile finds the old files or the new.
const fresh = `${root}dist/.new-${process.pid}`;
mkdirSync(fresh, { recursive: true });
try {
  await Promise.all([buildApp(), buildStarter(), buildMask(), buildLibrary()]);
  warm();
  for (const name of ["app.cjs.cache", "app.cjs", "cli.cjs", "mask.js"]) place(name);
  if (!inTests) buildTypes();
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

function buildApp() {
  return build({
    ...common,
    entryPoints: ["src/cli/app.ts"],
    outfile: `${fresh}/app.cjs`,
    format: "cjs",
    plugins: [lateBuiltins(root), lateRequires(), quietYaml()],
    // `performance` loads ten modules of Node when it is first used; all that is asked of it is how long something took.
    define: { ...common.define, "import.meta.url": "wfFileUrl", "performance.now": "wfNow" },
    banner: {
      js: 'const wfFileUrl=require("node:url").pathToFileURL(__filename).href;const wfNow=()=>process.uptime()*1e3;',
    },
    alias: {
      // Their imports build three `Intl.Segmenter`s, which is more than half of what yargs costs at start-up.
      "string-width": `${root}src/build/shims/string-width.mjs`,
      "wrap-ansi": `${root}src/build/shims/wrap-ansi.mjs`,
    },
  });
}

function buildStarter() {
  return build({
    ...common,
    entryPoints: ["src/build/cli.mjs"],
    outfile: `${fresh}/cli.cjs`,
    format: "cjs",
    define: { ...common.define, "import.meta.dirname": "__dirname" },
  });
}

function buildMask() {
  return build({
    ...common,
    entryPoints: ["src/process/mask-main.ts"],
    outfile: `${fresh}/mask.js`,
    format: "esm",
  });
}

async function buildLibrary() {
  const { metafile } = await build({
    ...common,
    entryPoints: ["src/index.ts"],
    outdir: "dist",
    format: "esm",
    splitting: true,
    plugins: [lateRequires(), quietYaml()],
    metafile: true,
    chunkNames: "chunks/[name]-[hash]",
    // The CommonJS packages among the dependencies call `require("fs")`.
    banner: {
      js: 'import{createRequire as wfRequire}from"node:module";const require=wfRequire(import.meta.url);',
    },
  });
  // Their names hold a hash of what is in them, so that those of earlier builds would stay.
  for (const name of readdirSync(`${root}dist/chunks`)) {
    if (!(`dist/chunks/${name}` in metafile.outputs)) rmSync(`${root}dist/chunks/${name}`);
  }
}

/** Without a cache everything works as well, only not as fast. */
function warm() {
  const { status, stderr } = spawnSync(process.execPath, [`${root}src/build/warm.mjs`, `${fresh}/app.cjs`], {
    encoding: "utf8",
  });
  if (status !== 0) console.error(`note: dist/app.cjs.cache could not be made: ${stderr.trim()}`);
}

function place(name) {
  try {
    renameSync(`${fresh}/${name}`, `${root}dist/${name}`);
  } catch (error) {
    if (error.code !== "ENOENT" || name !== "app.cjs.cache") throw error;
    rmSync(`${root}dist/${name}`, { force: true });
  }
}

function buildTypes() {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const options = ["--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--rootDir", "src"];
  const { status } = spawnSync(
    process.execPath,
    [tsc, "--project", "src/build/tsconfig.types.json", "--outDir", "dist/types", ...options],
    { cwd: root, stdio: "inherit" },
  );
  if (status !== 0) {
    console.error("the declarations in dist/types could not be made; see above");
    process.exitCode = 1;
  }
}
