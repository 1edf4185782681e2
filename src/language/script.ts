import { variableName } from "../core/ids.ts";
import { type Piece, scanTemplate } from "../core/template.ts";
import type { Script, ScriptVariable } from "../core/workflow.ts";
import type { TextNode } from "./read.ts";
import type { Problems } from "./report.ts";
import { scanShell } from "./shell-scan.ts";

export const SCRIPT_PREFIX = "WF_V";

const SHELLS = new Set(["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"]);

const NONE: readonly ScriptVariable[] = [];

type PathPiece = Piece & { kind: "path" };

/**
 * Shell text in which each template became a reference to a variable: `"${WF_V_X}"` where the shell would split its
 * value into words, `${WF_V_X}` within double quotes. `onPath` is told of each path that the script really uses.
 */
export function buildScript(
  node: TextNode,
  shell: readonly string[],
  problems: Problems,
  onPath: (piece: PathPiece) => void,
): Script {
  const source = node.value;
  if (!source.includes("{{")) return { text: source, variables: NONE };
  const pieces = scanTemplate(source);
  const spots = scanShell(
    source,
    pieces.filter((piece) => piece.kind !== "text"),
  );
  const variables = new Map<string, ScriptVariable>();
  let text = "";
  let index = 0;
  for (const piece of pieces) {
    if (piece.kind === "text") {
      text += piece.text;
      continue;
    }
    const spot = spots[index++];
    const written = source.slice(piece.start, piece.end);
    const at = { node, from: piece.start, to: piece.end };
    if (!spot || spot.kind === "comment") {
      text += written;
    } else if (piece.kind === "fault") {
      problems.add("BAD_TEMPLATE", at, `${written} ${piece.message}`, LITERAL_HINT);
    } else if (!isShell(shell)) {
      const hint = `pass the value by \`env\` and read it there`;
      problems.add(
        "UNSAFE_REFERENCE",
        at,
        `${written} stands in a script for ${shell[0]}, which is not a shell`,
        hint,
      );
    } else if (spot.kind === "unsafe") {
      onPath(piece);
      problems.add("UNSAFE_REFERENCE", at, `${written} ${spot.why}`, spot.hint);
    } else {
      onPath(piece);
      const name = variableName(SCRIPT_PREFIX, piece.path.segments);
      addVariable(variables, { name, path: piece.path }, problems, at);
      text += spot.kind === "word" ? `"\${${name}}"` : `\${${name}}`;
    }
  }
  return { text, variables: [...variables.values()] };
}

export const LITERAL_HINT =
  "a template is {{ name.name }}; to write the braces themselves, put a backslash before them: \\{{";

function addVariable(
  variables: Map<string, ScriptVariable>,
  variable: ScriptVariable,
  problems: Problems,
  at: { node: TextNode; from: number; to: number },
): void {
  const first = variables.get(variable.name);
  if (!first) variables.set(variable.name, variable);
  else if (first.path.text !== variable.path.text) {
    const message = `{{${first.path.text}}} and {{${variable.path.text}}} would both be the variable ${variable.name}`;
    problems.add("VARIABLE_CLASH", at, message, "pass one of them by `env`, under a name of its own");
  }
}

function isShell(shell: readonly string[]): boolean {
  const names = shell.slice(0, 2).map((part) => part.slice(part.lastIndexOf("/") + 1));
  return SHELLS.has(names[0] ?? "") || (names[0] === "env" && SHELLS.has(names[1] ?? ""));
}
