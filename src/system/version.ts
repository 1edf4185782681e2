import { readFileSync } from "node:fs";

/** Set by the build. */
declare const WF_VERSION: string;

export const VERSION: string = typeof WF_VERSION === "string" ? WF_VERSION : versionInPackage();

function versionInPackage(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
