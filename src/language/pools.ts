import { nameFault } from "../core/ids.ts";
import { suggest } from "./did-you-mean.ts";
import type { Node } from "./node.ts";
import type { Reader } from "./read.ts";

/** Numbers of places, by the name of the pool. */
export type Pools = Readonly<Record<string, number>>;

/** How many places the pools of a workflow have. */
export function readPools(node: Node | undefined, reader: Reader): Pools {
  const found: Record<string, number> = {};
  const map = node && reader.map(node, "`pools`", "write `pools: { gpu: 2 }`");
  for (const [name, entry] of map?.entries ?? []) {
    const { value } = entry;
    const fault = nameFault(name);
    if (fault) reader.problems.add("BAD_ID", entry, `the pool's name "${name}" ${fault}`);
    // Known, so that the steps which name it are not wrong as well.
    found[name] = reader.integer(value, `the size of the pool "${name}"`, 1) ?? Number.POSITIVE_INFINITY;
  }
  return found;
}

const NONE: Pools = {};

/** How many places a step takes in them. */
export function readPlaces(node: Node | undefined, id: string, pools: Pools, reader: Reader): Pools {
  if (!node) return NONE;
  const found: Record<string, number> = {};
  const map = reader.map(node, "`pools`", "write `pools: { gpu: 1 }`");
  for (const [name, entry] of map?.entries ?? []) {
    const { value } = entry;
    const places = reader.integer(value, `the places in the pool "${name}"`, 1);
    if (!Object.hasOwn(pools, name)) {
      reader.problems.add(
        "UNKNOWN_NAME",
        entry,
        `step ${id}: there is no pool "${name}"`,
        unknownHint(name, pools),
      );
      continue;
    }
    const size = pools[name] as number;
    if (places !== null && places > size) {
      const message = `step ${id} takes ${places} places in the pool "${name}", which has ${size}`;
      reader.problems.add("BAD_VALUE", value, message, "it could never start");
    }
    found[name] = places ?? 1;
  }
  return found;
}

function unknownHint(name: string, pools: Pools): string {
  const known = Object.keys(pools);
  if (known.length > 0) return suggest(name, known, "pools");
  return `declare it at the top of the workflow: \`pools: { ${nameFault(name) ? "name" : name}: 1 }\``;
}
