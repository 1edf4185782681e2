/** What is wrong with a glob, or with a path, of files below a folder; as the end of a sentence, null if nothing is. */
export function globFault(glob: string): string | null {
  if (glob === "") return "is empty";
  if (glob.includes("\0")) return "holds a NUL character";
  if (glob.startsWith("/") || /^[A-Za-z]:[\\/]/.test(glob)) return "is absolute";
  if (glob.startsWith("~")) return "begins with ~, which is not replaced";
  if (glob.includes("\\")) return "holds a backslash; folders are parted by /";
  const parts = glob.split("/");
  if (parts.includes("..")) return "leaves its folder with ..";
  if (glob.endsWith("/")) return "names a folder; /** after it means all the files in it";
  if (parts.includes(".") || parts.includes("", 0)) return "holds a part that is empty or .";
  if (parts.some((part) => part.includes("**") && part !== "**")) return "has ** beside other characters";
  if (/[!@+?*]\(/.test(glob)) return "holds a pattern in parentheses; only *, **, ?, [ ] and { } are known";
  return bracketFault(glob);
}

/** Whether it stands for anything else than the one path that it is. */
export function hasWildcard(glob: string): boolean {
  return /[*?[\]{}]/.test(glob);
}

function bracketFault(glob: string): string | null {
  let braces = 0;
  for (let at = 0; at < glob.length; at++) {
    const char = glob[at];
    if (char === "[") {
      const close = glob.indexOf("]", at + 2);
      if (close < 0 || glob.slice(at, close).includes("/")) return "has a [ without its ]";
      at = close;
    } else if (char === "]") return "has a ] without its [";
    else if (char === "{") braces += 1;
    else if (char === "}") braces -= 1;
    if (braces < 0) return "has a } without its {";
  }
  return braces > 0 ? "has a { without its }" : null;
}
