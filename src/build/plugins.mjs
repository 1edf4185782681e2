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
