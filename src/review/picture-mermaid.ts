import type { Picture, PictureEdge, PictureNode } from "./picture.ts";
import { colorOf } from "./picture-colors.ts";

/** A flow chart as code hosts show it; ends with a newline. */
export function mermaid(picture: Picture): string {
  const statuses = new Set<string>();
  const lines = ["flowchart TD", ...body(picture, "  ", statuses)];
  for (const status of statuses) {
    const { fill, stroke, text, dashed } = colorOf(status);
    const dash = dashed ? ",stroke-dasharray:4" : "";
    lines.push(`  classDef ${status} fill:${fill},stroke:${stroke},color:${text}${dash}`);
  }
  return `${lines.join("\n")}\n`;
}

function body({ nodes, edges }: Picture, by: string, statuses: Set<string>): string[] {
  return [
    ...nodes.flatMap((node) => nodeLines(node, by, statuses)),
    ...edges.map((edge) => `${by}${arrow(edge)}`),
  ];
}

function nodeLines(
  { id, lines, shape, status, inner }: PictureNode,
  by: string,
  statuses: Set<string>,
): string[] {
  if (status !== undefined) statuses.add(status);
  const label = lines.map(escaped).join("<br/>");
  if (inner) {
    return [
      `${by}subgraph ${id}["${label}"]`,
      ...body(inner, `${by}  `, statuses),
      `${by}end`,
      ...(status === undefined ? [] : [`${by}class ${id} ${status}`]),
    ];
  }
  const [open, close] = SHAPES[shape];
  return [
    `${by}${id}${open}${shape === "end" ? label : `"${label}"`}${close}${status === undefined ? "" : `:::${status}`}`,
  ];
}

const SHAPES: Readonly<Record<PictureNode["shape"], readonly [string, string]>> = {
  step: ["[", "]"],
  agent: ["([", "])"],
  gate: ["{", "}"],
  workflow: ["[[", "]]"],
  end: ["((", "))"],
};

function arrow({ from, to, label, taken }: PictureEdge): string {
  const text = label === "" ? "" : `|${label}|`;
  return `${from} ${taken ? "-->" : "-.->"}${text} ${to}`;
}

/** Its own entities, which begin with `#`. */
function escaped(text: string): string {
  return text.replace(/[#"<>]|&(?=[#\w]+;)/g, (character) => `#${character.charCodeAt(0)};`);
}
