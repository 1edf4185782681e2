import type { Usage } from "../../core/event.ts";
import type { UsageTotal } from "../../core/state.ts";
import { count } from "./text.ts";

/** `12,345 tokens, 0.42 USD, 1 attempt unknown`: what nobody knows is not nothing. */
export function usageText({ tokens, costUsd, unknown, unknownCost }: UsageTotal): string {
  const parts = [
    ...(tokens > 0 ? [tokensText(tokens)] : []),
    ...(costUsd > 0 ? [`${dollars(costUsd)} USD`] : []),
    ...(unknown > 0 ? [`${count(unknown, "attempt")} unknown`] : []),
    ...(unknownCost > unknown ? [`cost of ${count(unknownCost, "attempt")} unknown`] : []),
  ];
  return parts.join(", ") || "nothing";
}

/** Of one attempt. */
export function attemptUsageText({ tokens, costUsd }: Usage): string {
  if (tokens === null && costUsd === null) return "unknown: the client did not say";
  const parts = [tokens === null ? "tokens unknown" : tokensText(tokens)];
  if (costUsd !== null) parts.push(`${dollars(costUsd)} USD`);
  return parts.join(", ");
}

function tokensText(tokens: number): string {
  return `${String(tokens).replace(/\B(?=(\d{3})+$)/g, ",")} ${tokens === 1 ? "token" : "tokens"}`;
}

/** Two places, or as many as a small amount needs to be seen. */
function dollars(amount: number): string {
  return amount >= 0.1 || amount === 0 ? amount.toFixed(2) : String(Number(amount.toPrecision(2)));
}
