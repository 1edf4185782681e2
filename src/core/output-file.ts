/** A line of `$WF_OUTPUT` that can not be read; `line` counts from 1. */
export interface OutputSyntaxError {
  readonly line: number;
  readonly message: string;
}

/**
 * Reads what a step appended to `$WF_OUTPUT`: lines `name=value`, or `name<<DELIMITER`, the value's lines, and the
 * delimiter alone on a line (the grammar of GitHub's `$GITHUB_OUTPUT`). A name that is set twice is an error.
 */
export function parseOutputFile(text: string): Map<string, string> | OutputSyntaxError {
  const values = new Map<string, string>();
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line === "") continue;
    const number = i + 1;
    const equals = line.indexOf("=");
    const here = line.indexOf("<<");
    const isBlock = here > 0 && (equals < 0 || here < equals);
    const name = isBlock ? line.slice(0, here) : line.slice(0, Math.max(equals, 0));
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) {
      return { line: number, message: `expected name=value or name<<DELIMITER, found ${quote(line)}` };
    }
    if (values.has(name)) return { line: number, message: `${name} is set twice` };
    if (!isBlock) {
      values.set(name, line.slice(equals + 1));
      continue;
    }
    const delimiter = line.slice(here + 2);
    if (delimiter === "") return { line: number, message: `${name}<< needs a delimiter` };
    const end = lines.indexOf(delimiter, i + 1);
    if (end < 0)
      return { line: number, message: `${name}<<${delimiter} has no closing line ${quote(delimiter)}` };
    values.set(name, lines.slice(i + 1, end).join("\n"));
    i = end;
  }
  return values;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
}
