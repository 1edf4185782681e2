import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import ts from "typescript";
import { code, filesIn, ROOT, read, rows, section } from "./markdown.ts";

interface Room {
  readonly mayImport: ReadonlySet<string>;
  readonly packages: ReadonlySet<string>;
}

const rooms = new Map<string, Room>(
  rows(section(read("docs/architecture.md"), "## Rooms")).map(
    ([name = "", , imports = "", packages = ""]) => [
      code(name)[0] as string,
      { mayImport: new Set(code(imports)), packages: new Set(code(packages)) },
    ],
  ),
);

interface Source {
  readonly path: string;
  readonly room: string;
  readonly tree: ts.SourceFile;
}

const sources: readonly Source[] = filesIn("src", ".ts").map((path) => ({
  path,
  room: path.split("/").length > 2 ? (path.split("/")[1] as string) : "",
  tree: ts.createSourceFile(path, read(path), ts.ScriptTarget.ES2023, true),
}));
const inRooms = sources.filter(({ room }) => room !== "" && room !== "build");

test("every folder of src/ is a room that the table knows, and every room is a folder", () => {
  const folders = readdirSync(`${ROOT}src`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const names = folders.map(({ name }) => name).filter((name) => name !== "build" && name !== "generated");
  assert.deepEqual(names.sort(), [...rooms.keys()].sort());
});

test("a room imports only the rooms that the table allows it", () => {
  const wrong: string[] = [];
  for (const { path, room, tree } of inRooms) {
    for (const specifier of imported(tree)) {
      if (!specifier.startsWith(".")) continue;
      const target = new URL(specifier, `file:///${path}`).pathname.split("/")[2] as string;
      if (target !== room && !rooms.get(room)?.mayImport.has(target)) wrong.push(`${path}: ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("a package is imported in the room that the table gives it, and each dependency has one", () => {
  const wrong: string[] = [];
  const used = new Set<string>();
  for (const { path, room, tree } of inRooms) {
    for (const specifier of imported(tree)) {
      if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
      used.add(name);
      if (!rooms.get(room)?.packages.has(name)) wrong.push(`${path}: ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
  assert.deepEqual([...used].sort(), Object.keys(dependencies).sort());
  assert.deepEqual([...rooms.values()].flatMap(({ packages }) => [...packages]).sort(), [...used].sort());
});

test("store and process do not know each other, and nobody is known to core", () => {
  assert.deepEqual(rooms.get("core")?.mayImport, new Set());
  assert.ok(!rooms.get("store")?.mayImport.has("process"));
  assert.ok(!rooms.get("process")?.mayImport.has("store"));
});

test("core does no I/O, reads no clock, draws no random number, sets no timer", () => {
  // `createRequire` loads the room's own packages when the first expression or schema needs them.
  const allowed = new Set(["node:module"]);
  const globals = new Set(
    "process setTimeout setInterval setImmediate queueMicrotask performance fetch console crypto globalThis Atomics".split(
      " ",
    ),
  );
  const wrong: string[] = [];
  for (const { path, room, tree } of inRooms) {
    if (room !== "core") continue;
    for (const specifier of imported(tree)) {
      if (specifier.startsWith("node:") && !allowed.has(specifier)) wrong.push(`${path}: ${specifier}`);
    }
    walk(tree, (node) => {
      const text = node.getText(tree);
      const found =
        (ts.isIdentifier(node) && globals.has(node.text) && isGlobal(node)) ||
        (ts.isPropertyAccessExpression(node) && /^(Date\.now|Math\.random)$/.test(text)) ||
        (ts.isNewExpression(node) && /^new Date(\(\))?$/.test(text)) ||
        (ts.isCallExpression(node) && /^Date\(/.test(text));
      if (found) wrong.push(`${path}:${lineOf(tree, node)}: ${text}`);
    });
  }
  assert.deepEqual(wrong, []);
});

test("nobody but cli prints", () => {
  const wrong: string[] = [];
  for (const { path, room, tree } of inRooms) {
    if (room === "cli") continue;
    walk(tree, (node) => {
      if (!ts.isPropertyAccessExpression(node)) return;
      if (/^(console\.\w+|process\.(stdout|stderr))$/.test(node.getText(tree)))
        wrong.push(`${path}:${lineOf(tree, node)}`);
    });
  }
  assert.deepEqual(wrong, []);
});

test("every code that the sources name is a code, and every code is named by them", async () => {
  const { PROBLEM_CODES } = await import("../../src/core/problem.ts");
  const transitions = /TransitionCode =([^;]*);/.exec(read("src/core/event.ts"))?.[1] ?? "";
  const others = new Set([...transitions.matchAll(/"([A-Z_]+)"/g)].map((found) => found[1] as string));
  const named = new Set<string>();
  const wrong: string[] = [];
  for (const { path, tree } of sources) {
    if (path === "src/core/problem.ts") continue;
    walk(tree, (node) => {
      if (!ts.isStringLiteral(node) || !/^[A-Z][A-Z_]+$/.test(node.text)) return;
      named.add(node.text);
      const { parent } = node;
      const isCode = ts.isPropertyAssignment(parent) && parent.name.getText(tree) === "code";
      if (isCode && !Object.hasOwn(PROBLEM_CODES, node.text) && !others.has(node.text))
        wrong.push(`${path}:${lineOf(tree, node)}: ${node.text}`);
    });
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    Object.keys(PROBLEM_CODES).filter((name) => !named.has(name)),
    [],
  );
});

/** What a file imports, exports from elsewhere, imports when it runs, or requires. */
function imported(tree: ts.SourceFile): string[] {
  const found: string[] = [];
  walk(tree, (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text);
    }
    if (ts.isCallExpression(node)) {
      const loads =
        node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText(tree) === "require";
      const [specifier] = node.arguments;
      if (loads && specifier && ts.isStringLiteral(specifier)) found.push(specifier.text);
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push((node.argument.literal as ts.StringLiteral).text);
    }
  });
  return found;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Not the name of a property, of a key, or of something that is declared here. */
function isGlobal(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return (
    !("name" in parent && parent.name === node) && !ts.isBindingElement(parent) && !ts.isTypeNode(parent)
  );
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}
