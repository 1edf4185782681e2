import { VERSION } from "../system/version.ts";

// Asked for by every script that checks its tools: answered before anything else is read.
if (process.argv.length === 3 && process.argv[2] === "--version") console.log(VERSION);
else {
  const { main } = await import("./app.ts");
  await main(process.argv.slice(2));
}
