import type { Picture, PictureEdge, PictureNode } from "./picture.ts";
import { colorOf } from "./picture-colors.ts";

/** The same for Graphviz. `title`: the name of the graph. */
export function dot(picture: Picture, title: string): string {
  const ends = new Map<string, Ends>();
  const lines = body(picture, "  ", ends);
  return [
    `digraph ${quoted(title)} {`,
    "  compound=true;",
    '  node [shape=box, style="rounded,filled", fillcolor="#fff", fontname="sans-serif"];',
    '  edge [fontname="sans-serif"];',
    ...lines,
    "}",
    "",
  ].join("\n");
}

/** Where arrows to and from a cluster end: at a node in it. */
interface Ends {
  readonly first: string;
  readonly last: string;
}

function body({ nodes, edges }: Picture, by: string, ends: Map<string, Ends>): string[] {
  return [
    ...nodes.flatMap((node) => nodeLines(node, by, ends)),
    ...edges.map((edge) => `${by}${arrow(edge, ends)}`),
  ];
}

function nodeLines(
  { id, lines, shape, status, inner }: PictureNode,
  by: string,
  ends: Map<string, Ends>,
): string[] {
  const label = quoted(lines.join("\n"));
  const colors = status === undefined ? null : colorOf(status);
  if (inner) {
    const own = body(inner, `${by}  `, ends);
    const ids = inner.nodes.filter((node) => node.shape !== "end").map((node) => node.id);
    const [first = id, last = first] = [ids[0], ids.at(-1)];
    ends.set(id, { first: ends.get(first)?.first ?? first, last: ends.get(last)?.last ?? last });
    return [
      `${by}subgraph cluster_${id} {`,
      `${by}  label=${label}; fontname="sans-serif"; style="rounded${colors ? ",filled" : ""}";`,
      ...(colors ? [`${by}  fillcolor="${colors.fill}"; color="${colors.stroke}";`] : []),
      ...own,
      `${by}}`,
    ];
  }
  const paint = colors
    ? `, fillcolor="${colors.fill}", color="${colors.stroke}", fontcolor="${colors.text}"`
    : "";
  return [`${by}${id} [label=${label}${SHAPES[shape]}${paint}];`];
}

const SHAPES: Readonly<Record<PictureNode["shape"], string>> = {
  step: "",
  agent: ', style="rounded,filled,bold"',
  gate: ", shape=diamond, style=filled",
  workflow: ", peripheries=2",
  end: ", shape=circle",
};

function arrow({ from, to, label, taken }: PictureEdge, ends: ReadonlyMap<string, Ends>): string {
  const [tail, head] = [ends.get(from), ends.get(to)];
  const settings = [
    ...(label === "" ? [] : [`label=${quoted(label)}`]),
    ...(taken ? [] : ["style=dashed"]),
    ...(tail ? [`ltail=cluster_${from}`] : []),
    ...(head ? [`lhead=cluster_${to}`] : []),
  ];
  const more = settings.length === 0 ? "" : ` [${settings.join(", ")}]`;
  return `${tail?.last ?? from} -> ${head?.first ?? to}${more};`;
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
