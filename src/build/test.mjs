import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

// `npm test [-- FOLDER|FILE…]`: the tests by node:test; without arguments all but those that take minutes.
const root = fileURLToPath(new URL("../../", import.meta.url));
const NOT_BY_DEFAULT = ["test/crash", "test/bench"];

const given = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const options = process.argv.slice(2).filter((argument) => argument.startsWith("-"));
const files = (given.length > 0 ? given : ["test"])
  .flatMap((place) => testsIn(place))
  .filter((file) => given.length > 0 || !NOT_BY_DEFAULT.some((folder) => file.startsWith(`${folder}/`)))
  .sort();

if (files.length === 0) {
  console.error(`no tests in ${given.join(", ") || "test"}`);
  process.exit(1);
}

buildIfStale();

const flags = ["--import", "tsx", "--test", "--test-concurrency=2", "--test-reporter=spec", ...options];
const env = { ...process.env };
// Both would change what a test sees: the first costs 80 ms a start, the second makes nested runs report to us.
delete env.NODE_EXTRA_CA_CERTS;
delete env.NODE_TEST_CONTEXT;
const { status, signal } = spawnSync(process.execPath, [...flags, ...files], {
  cwd: root,
  env,
  stdio: "inherit",
});
process.exit(status ?? (signal ? 1 : 0));

function testsIn(place) {
  const path = join(root, place);
  if (!existsSync(path)) {
    console.error(`there is no ${place}`);
    process.exit(1);
  }
  if (statSync(path).isFile()) return [relative(root, path)];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => relative(root, join(path, name)));
}

/** Tests of the command line run what users run. */
function buildIfStale() {
  const built = statSync(join(root, "dist/cli.cjs"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).map((name) =>
    join(root, "src", name),
  );
  if ([join(root, "package.json"), ...sources].every((path) => statSync(path).mtimeMs < built)) return;
  const { status } = spawnSync(process.execPath, ["src/build/build.mjs", "--quick"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
}
