/** Breaks plain text at spaces, so that no line is longer than `columns` unless a word is. */
export default function wrapAnsi(text, columns) {
  return String(text)
    .split("\n")
    .map((line) => wrapLine(line, columns))
    .join("\n");
}

function wrapLine(line, columns) {
  const lines = [];
  let current = "";
  for (const word of line.split(" ")) {
    const longer = current === "" ? word : `${current} ${word}`;
    if (longer.length > columns && current !== "") {
      lines.push(current);
      current = word;
    } else current = longer;
  }
  return [...lines, current].join("\n");
}
