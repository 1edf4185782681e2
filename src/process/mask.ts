import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { type Environment, reachesByArguments } from "./environment.ts";
import { MASK_VARIABLE, type MaskOrder, PART_CHARACTERS } from "./mask-order.ts";

/** A program, and its environment on top of the one that all steps share; null takes a variable away. */
export interface Call {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | null>>;
}

/** Node, and those of its libraries, act upon these: they are for the step, not for the process around it. */
const FOR_THE_STEP = /^(?:NODE_|OPENSSL_|SSL_CERT_)/;

/**
 * The same call within a process that passes on what it prints with every form of the values replaced. Nothing of
 * them stands in the arguments.
 *
 * @param base what all steps share
 */
export function masked(call: Call, base: Environment, values: readonly string[]): Call {
  const env: Record<string, string | null> = {};
  const late: Record<string, string> = {};
  for (const [name, value] of Object.entries(base)) {
    if (!FOR_THE_STEP.test(name)) continue;
    env[name] = null;
    late[name] = value;
  }
  for (const [name, value] of Object.entries(call.env)) {
    const isLate = FOR_THE_STEP.test(name) || reachesByArguments(name);
    env[name] = isLate ? null : value;
    if (!isLate) continue;
    if (value === null) delete late[name];
    else late[name] = value;
  }
  const order: MaskOrder = { values, env: late };
  // ASCII, so that characters are bytes: a variable can not be longer than 128 KiB.
  const text = Buffer.from(JSON.stringify(order)).toString("base64");
  for (let part = 0; part * PART_CHARACTERS < text.length; part++) {
    env[`${MASK_VARIABLE}${part}`] = text.slice(part * PART_CHARACTERS, (part + 1) * PART_CHARACTERS);
  }
  return { argv: [...maskProgram(), "--", ...call.argv], env };
}

let program: readonly string[] | undefined;

/** The bundle beside this one; from the sources that of the last build, else the source itself. */
function maskProgram(): readonly string[] {
  program ??= [process.execPath, ...entry()];
  return program;
}

function entry(): string[] {
  const places = ["mask.js", "../mask.js", "../../dist/mask.js"].map((place) => here(place));
  const built = places.find((place) => existsSync(place));
  if (built !== undefined) return [built];
  return ["--import", createRequire(import.meta.url).resolve("tsx/esm"), here("mask-main.ts")];
}

function here(place: string): string {
  return fileURLToPath(new URL(place, import.meta.url));
}
