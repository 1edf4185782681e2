import pc from "picocolors";

export type Colors = ReturnType<typeof pc.createColors>;

/**
 * Whether to colour what goes to a stream: only a terminal, and not where NO_COLOR, CI or TERM=dumb say otherwise;
 * FORCE_COLOR says yes to any stream, NO_COLOR goes before it.
 */
export function wantsColor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  if (env.CI && env.CI !== "false") return false;
  return isTerminal && env.TERM !== "dumb";
}

let forStdout: Colors | undefined;
let forStderr: Colors | undefined;

export function colors(): Colors {
  forStdout ??= pc.createColors(wantsColor(process.stdout.isTTY === true, process.env));
  return forStdout;
}

export function diagnosticColors(): Colors {
  forStderr ??= pc.createColors(wantsColor(process.stderr.isTTY === true, process.env));
  return forStderr;
}

/** A status in the colour that it has everywhere. */
export function paintStatus(status: string, text: string = status): string {
  const c = colors();
  switch (status) {
    case "succeeded":
      return c.green(text);
    case "failed":
    case "timed_out":
      return c.red(text);
    case "running":
      return c.cyan(text);
    case "waiting":
    case "retrying":
    case "interrupted":
      return c.yellow(text);
    default:
      return c.dim(text);
  }
}
