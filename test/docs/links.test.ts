import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { filesIn, ROOT, read } from "./markdown.ts";

const pages = ["README.md", "CHANGELOG.md", ...filesIn("docs", ".md")];

test("every relative link leads to something, and to a heading of it", () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, target = ""] of withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path));
      if (file.startsWith("..") || !existsSync(ROOT + file)) broken.push(`${page}: ${target}`);
      else if (anchor !== undefined && !(statSync(ROOT + file).isFile() && anchors(file).has(anchor)))
        broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("every page of docs/ is reached from the README", () => {
  const linked = [...read("README.md").matchAll(/\]\((docs\/[^)#]+)/g)].map((found) => found[1]);
  for (const page of filesIn("docs", ".md").filter((path) => !path.startsWith("docs/decisions/"))) {
    assert.ok(linked.includes(page), page);
  }
});

/** As GitHub makes them. */
function anchors(file: string): Set<string> {
  const headings = [...withoutCode(read(file)).matchAll(/^#+ (.+)$/gm)].map((found) => found[1] as string);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replace(/\s/g, "-"),
    ),
  );
}

function withoutCode(text: string): string {
  return text.replace(/```[\s\S]*?```/g, "");
}
