import { executorContract } from "./executor-contract.ts";

await executorContract({ module: import.meta.resolve("./fake-cluster.ts"), name: "fakeCluster" });
