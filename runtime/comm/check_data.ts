import { type Dtype, type Op, OPS } from "./frame.ts";
import type { DataArray, NumberArray, SharedArrayUse } from "./process_group.ts";

/** @throws TypeError if it is no operation that reduces */
export function checkOp(op: string = "sum"): Exclude<Op, "none"> {
  if (op === "none" || !OPS.includes(op as Op)) {
    throw new TypeError(`op is ${JSON.stringify(op)}; it must be one of ${OPS.slice(1).join(", ")}`);
  }
  return op as Exclude<Op, "none">;
}

/** The number of what a shared array is for, which tells ranks that disagree. @throws TypeError if it is no use */
export function checkUse(use: SharedArrayUse): number {
  const number = ["reduce", "gather"].indexOf(use);
  if (number < 0) throw new TypeError(`use is ${JSON.stringify(use)}; it must be reduce or gather`);
  return number;
}

/** The name of what is to be reduced. @throws TypeError if that is not possible */
export function checkNumbers(data: NumberArray, kind: string): Dtype {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int32Array) return "int32";
  throw new TypeError(`${kind} takes a Float32Array, Float64Array or Int32Array, not ${nameOf(data)}`);
}

/** The name of what is to be moved. @throws TypeError if that is not possible */
export function checkData(data: DataArray, kind: string): Dtype {
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array) {
    return checkNumbers(data, kind);
  }
  throw new TypeError(`${kind} takes a Float32Array, Float64Array, Int32Array or Uint8Array, not ${nameOf(data)}`);
}

function nameOf(value: unknown): string {
  return value === null || typeof value !== "object" ? String(value) : value.constructor?.name ?? "an object";
}
