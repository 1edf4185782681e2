import type { Options } from "yargs";
import { WfError } from "../core/problem.ts";

/** A command as `src/cli/commands/` files export it. */
export interface Command {
  /** Such as `run FILE [ID]`. */
  readonly usage: string;
  readonly describe: string;
  readonly positionals: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, Option>>;
  /** Command lines and what they do. */
  readonly examples: readonly (readonly [string, string])[];
  /** Resolves to the exit code. */
  run(args: Args): Promise<number> | number;
}

export interface Option {
  /** A flag takes no value, a value exactly one, a list one each time it is given. */
  readonly kind: "flag" | "value" | "list";
  readonly describe: string;
  readonly alias?: string;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly choices?: readonly string[];
}

export const JSON_OPTION: Option = {
  kind: "flag",
  describe: "print JSON, described by `wf schema cli/<command>`",
};
export const RUNS_DIR_OPTION: Option = {
  kind: "value",
  value: "DIR",
  describe: "where runs are kept (else $WF_RUNS_DIR, else .wf/runs in the project)",
};
export const RUN_POSITIONAL = "a run: its path, its id, a unique part of its id, or `latest`";
export const STEP_POSITIONAL =
  "STEP (its newest attempt), STEP/ATTEMPT, STEP/item-N, and into nested runs: deploy/item-3/test";

export function toYargs(option: Option): Options {
  const { kind, describe, alias, value, choices } = option;
  return {
    describe: value === undefined ? describe : `${value}: ${describe}`,
    ...(alias !== undefined && { alias }),
    ...(choices !== undefined && { choices }),
    ...(kind === "flag" ? { type: "boolean" } : { type: "string", requiresArg: true, nargs: 1 }),
    ...(kind === "list" && { array: true }),
  };
}

/** What was given on the command line, checked to be what the options say. */
export class Args {
  readonly #given: Readonly<Record<string, unknown>>;
  constructor(given: Readonly<Record<string, unknown>>, options: Command["options"]) {
    this.#given = given;
    for (const [name, { kind }] of Object.entries(options)) {
      const value = given[name];
      if (kind === "value" && Array.isArray(value)) {
        throw new WfError({
          code: "USAGE",
          message: `--${name} is given ${value.length} times, it takes one value`,
        });
      }
    }
  }

  /** A positional argument that the command can not do without. */
  required(name: string): string {
    const value = this.#given[name];
    if (typeof value !== "string" || value === "") {
      throw new WfError({ code: "USAGE", message: `${name} must not be empty` });
    }
    return value;
  }

  text(name: string): string | undefined {
    const value = this.#given[name];
    return typeof value === "string" ? value : undefined;
  }

  flag(name: string): boolean {
    const value = this.#given[name];
    return Array.isArray(value) ? value.at(-1) === true : value === true;
  }

  list(name: string): readonly string[] {
    const value = this.#given[name];
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map(String);
  }

  /** A whole number of at least 1. */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[1-9][0-9]{0,5}$/.test(text)) {
      throw new WfError({
        code: "USAGE",
        message: `--${name} must be a whole number from 1 to 999999, not ${JSON.stringify(text)}`,
      });
    }
    return Number(text);
  }
}
