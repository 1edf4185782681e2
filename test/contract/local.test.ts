import { executorContract } from "./executor-contract.ts";

const module = import.meta.resolve("./local.ts");

await executorContract({ module, name: "helper" });
await executorContract({ module, name: "spawned" });
