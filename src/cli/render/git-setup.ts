import type { SetupPart, SetupState } from "../../review/git-setup.ts";

export type SetupResult =
  | ({ readonly did: "check" | "set up" } & SetupState)
  | { readonly did: "undo"; readonly repository: string; readonly removed: readonly SetupPart[] };

const PARTS: Readonly<Record<SetupPart, string>> = {
  attributes: "the lines in .gitattributes",
  configuration: "the textconv in the configuration of this clone",
};

export function setupText(result: SetupResult): string {
  switch (result.did) {
    case "check":
      return result.missing.length === 0
        ? "set up: git diff shows committed runs without noise"
        : ["not set up; wf git-setup does it:", ...result.missing.map(({ what }) => `  ${what}`)].join("\n");
    case "set up": {
      if (result.missing.length === 0) return "nothing to do: it is set up";
      const lines = result.missing.map(({ part }) => `wrote ${PARTS[part]}`);
      const commit = result.missing.some(({ part }) => part === "attributes");
      return [...lines, ...(commit ? ["commit .gitattributes; wf git-setup --undo takes it back"] : [])].join(
        "\n",
      );
    }
    case "undo":
      return result.removed.length === 0
        ? "nothing to undo"
        : result.removed.map((part) => `removed ${PARTS[part]}`).join("\n");
    default:
      return result satisfies never;
  }
}

/** Described by `schemas/cli/git-setup.schema.json`. */
export function setupJson(result: SetupResult): object {
  const { did, repository } = result;
  return {
    did,
    repository,
    missing: did === "undo" ? [] : result.missing,
    removed: did === "undo" ? result.removed : [],
  };
}
