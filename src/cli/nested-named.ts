import { WfError } from "../core/problem.ts";
import { viewNested } from "../review/inside.ts";
import type { CurrentView } from "../review/view.ts";
import { shellWord } from "./render/text.ts";
import { attemptMeant, resolveName } from "./step-name.ts";

/** The nested run that a name stands for. `run`: what the run is called in commands. Raises USAGE, STEP_NOT_FOUND. */
export async function nestedNamed(view: CurrentView, name: string, run: string): Promise<CurrentView> {
  const named = await resolveName(view, name);
  const nested = await viewNested(named.view.runDir, attemptMeant(named));
  if (nested !== null) return nested;
  throw new WfError({
    code: "STEP_NOT_FOUND",
    message: `${name} is no nested workflow`,
    hint: `look:  wf show ${shellWord(run)} ${shellWord(name)}`,
  });
}
