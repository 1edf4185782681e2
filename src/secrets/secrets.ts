import type { Failure } from "../core/event.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import { formsOf } from "./forms.ts";
import { maskBytes } from "./masker.ts";
import { Patterns } from "./patterns.ts";

/** The secret inputs of a run, by name. In memory only: nothing of it is ever written. */
export class Secrets {
  readonly values: ReadonlyMap<string, string>;
  #patterns: Patterns | undefined;

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values;
  }

  get none(): boolean {
    return this.values.size === 0;
  }

  /** Every form of every value. */
  get patterns(): Patterns {
    this.#patterns ??= patternsOf([...this.values.values()]);
    return this.#patterns;
  }

  maskText(text: string): string {
    if (this.none) return text;
    return Buffer.from(maskBytes(this.patterns, Buffer.from(text))).toString();
  }

  /** All text in a value, keys included. */
  maskValue(value: Json): Json {
    if (this.none) return value;
    if (typeof value === "string") return this.maskText(value);
    if (Array.isArray(value)) return value.map((each) => this.maskValue(each));
    return isJsonObject(value) ? this.#maskMembers(value) : value;
  }

  maskFailure(failure: Failure): Failure {
    if (this.none) return failure;
    const { code, message, hint, details } = failure;
    return {
      code,
      message: this.maskText(message),
      ...(hint !== undefined && { hint: this.maskText(hint) }),
      ...(details && { details: this.#maskMembers(details) as Record<string, string> }),
    };
  }

  #maskMembers(value: Readonly<Record<string, Json>>): Record<string, Json> {
    const members = Object.entries(value).map(([key, each]) => [this.maskText(key), this.maskValue(each)]);
    return Object.fromEntries(members) as Record<string, Json>;
  }
}

export const NO_SECRETS = new Secrets(new Map());

export function patternsOf(values: readonly string[]): Patterns {
  return new Patterns(values.flatMap((value) => formsOf(value)));
}

/** The inputs with the values of the secret ones: for environments and scripts, never for what is written down. */
export function revealed(
  inputs: Readonly<Record<string, Json>>,
  { values }: Secrets,
): Readonly<Record<string, Json>> {
  return values.size === 0 ? inputs : { ...inputs, ...Object.fromEntries(values) };
}
