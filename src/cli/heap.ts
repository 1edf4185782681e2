import { statSync } from "node:fs";

/** Bytes of a definition of some hundred steps; for less, to load `v8` would cost more than it saves. */
const LARGE = 32 * 1024;
/** V8 lets old objects become up to four times as many before it looks which of them are garbage. */
const GROWTH_PERCENT = 40;
/** Of each half of the space for new objects, which V8 lets grow to 16 MiB each. */
const YOUNG_BYTES = 2 * 1024 * 1024;
const MOST_HELD = 200_000;

/**
 * Makes the engine of a large run spend some time on garbage, about a hundredth of it, rather than twice the memory.
 * V8 reads these two flags at each collection; those that set the sizes themselves it reads only as the process begins.
 */
export function keepHeapSmall(definition: string): void {
  const bytes = statSync(definition, { throwIfNoEntry: false })?.size ?? 0;
  // A flag that it does not know makes V8 complain.
  if (bytes < LARGE || !/^1[12]\./.test(process.versions.v8)) return;
  const { getHeapSpaceStatistics, setFlagsFromString } = process.getBuiltinModule("node:v8");
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  // The space grows when much in it is in use at a collection: once from the 1 MiB that it begins with, and then no more.
  setFlagsFromString("--semi-space-growth-factor=2");
  const isGrown = () => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    return young === undefined || young.space_size >= 2 * YOUNG_BYTES;
  };
  for (const held: object[] = []; held.length < MOST_HELD && !isGrown(); ) {
    for (let count = 0; count < 4000; count += 1) held.push([count]);
  }
  setFlagsFromString("--semi-space-growth-factor=1");
}
