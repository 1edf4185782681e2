import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Replaces modules of Node that take long to load by others that load them at the first call. */
export function lateBuiltins(root) {
  const late = { crypto: "crypto.mjs", child_process: "child_process.mjs", assert: "assert.mjs" };
  return {
    name: "late builtins",
    setup(build) {
      build.onResolve({ filter: /^(node:)?(crypto|child_process|assert)$/ }, ({ path, kind }) => {
        if (kind !== "import-statement") return undefined;
        return { path: join(root, "src/build/shims", late[path.replace("node:", "")]) };
      });
    },
  };
}

/**
 * Takes packages that a module loads at first use, by a `require` of its own making, into the bundle: they stay as
 * lazy as they are, and nothing has to be looked for in node_modules.
 */
export function lateRequires() {
  const own = /^const require = createRequire\(import\.meta\.url\);$/m;
  return {
    name: "late-requires",
    setup(build) {
      build.onLoad({ filter: /\/src\/(?:core|language)\/.*\.ts$/ }, async ({ path }) => {
        const contents = await readFile(path, "utf8");
        return own.test(contents) ? { contents: contents.replace(own, ""), loader: "ts" } : undefined;
      });
    },
  };
}

/** yaml looks at the environment for each token, whether it is to print it: a fifth of the time that reading takes. */
export function quietYaml() {
  return {
    name: "quiet-yaml",
    setup(build) {
      build.onLoad({ filter: /\/yaml\/.*\/(?:parser|composer)\.js$/ }, async ({ path }) => {
        const contents = await readFile(path, "utf8");
        return {
          contents: contents.replace(/node_process\.env\.LOG_(?:TOKENS|STREAM)/, "false"),
          loader: "js",
        };
      });
    },
  };
}
