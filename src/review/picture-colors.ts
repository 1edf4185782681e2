interface Color {
  readonly fill: string;
  readonly stroke: string;
  readonly text: string;
  readonly dashed?: true;
}

const UNREACHED: Color = { fill: "#fff", stroke: "#adb5bd", text: "#868e96" };

const COLORS: Readonly<Record<string, Color>> = {
  succeeded: { fill: "#d3f9d8", stroke: "#2b8a3e", text: "#000" },
  failed: { fill: "#ffe3e3", stroke: "#c92a2a", text: "#000" },
  running: { fill: "#d0ebff", stroke: "#1971c2", text: "#000" },
  waiting: { fill: "#fff3bf", stroke: "#e67700", text: "#000" },
  retrying: { fill: "#fff3bf", stroke: "#e67700", text: "#000", dashed: true },
  interrupted: { fill: "#ffe8cc", stroke: "#d9480f", text: "#000", dashed: true },
  canceled: { fill: "#fff3bf", stroke: "#e67700", text: "#000" },
  skipped: { fill: "#f1f3f5", stroke: "#868e96", text: "#495057", dashed: true },
};

/** Of a step's status, wherever it is drawn. */
export function colorOf(status: string): Color {
  return COLORS[status] ?? UNREACHED;
}
