import type { RunTree } from "../../review/tree.ts";

export type PoolsJson = Readonly<Record<string, { readonly places: number; readonly taken: number }>>;

/** How full the workflow's pools are; its nested runs have pools of their own. */
export function poolsOf({ view, workflow }: RunTree): PoolsJson {
  const taken = new Map<string, number>();
  for (const { id, pools } of workflow?.steps ?? []) {
    const record = view.record.steps[id];
    const running = record?.items ? (record.items.running ?? 0) : record?.status === "running" ? 1 : 0;
    if (running === 0 || view.interrupted) continue;
    for (const [name, places] of Object.entries(pools))
      taken.set(name, (taken.get(name) ?? 0) + running * places);
  }
  return Object.fromEntries(
    Object.entries(workflow?.pools ?? {}).map(([name, places]) => [
      name,
      { places, taken: taken.get(name) ?? 0 },
    ]),
  );
}

/** `db 2 of 3 taken, gpu 0 of 1`, while it matters; null if there is no pool. */
export function poolsText(tree: RunTree): string | null {
  const pools = Object.entries(poolsOf(tree));
  if (pools.length === 0 || tree.view.record.status !== "running") return null;
  return pools.map(([name, { places, taken }]) => `${name} ${taken} of ${places} taken`).join(", ");
}
