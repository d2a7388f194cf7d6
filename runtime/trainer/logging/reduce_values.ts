import type { ReduceFx } from "./log_options.ts";

/** What the ranks' values of one step come to. */
export function reduceValues(values: readonly number[], reduceFx: ReduceFx): number {
  if (reduceFx === "min") return Math.min(...values);
  if (reduceFx === "max") return Math.max(...values);
  const sum = values.reduce((a, b) => a + b, 0);
  return reduceFx === "sum" ? sum : sum / values.length;
}
