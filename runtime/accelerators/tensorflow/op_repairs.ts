import type { OpAttribute } from "./attributes.ts";
import { DataType } from "./data_types.ts";

/**
 * The op to run in place of one that TensorFlow computes wrongly: `Round` of integers gives zeros in 2.21 (on the processor), where it
 * has nothing to do.
 */
export function repairedOp(name: string, attributes: readonly OpAttribute[]): string {
  if (name !== "Round") return name;
  return attributes.some((attribute) => attribute.name === "T" && attribute.value === DataType.INT32)
    ? "Identity"
    : name;
}
