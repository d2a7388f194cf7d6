import type { HostArray, HostDtype } from "../tensor/host_tensor.ts";

/** How values of one type lie in memory and what the safetensors format calls the type. */
interface DtypeInfo {
  readonly dtype: HostDtype;
  readonly safetensors: string;
  readonly array: { new (length: number): HostArray; readonly BYTES_PER_ELEMENT: number; readonly name: string };
}

const DTYPES: readonly DtypeInfo[] = [
  { dtype: "float64", safetensors: "F64", array: Float64Array },
  { dtype: "int64", safetensors: "I64", array: BigInt64Array },
  { dtype: "float32", safetensors: "F32", array: Float32Array },
  { dtype: "int32", safetensors: "I32", array: Int32Array },
  { dtype: "float16", safetensors: "F16", array: Uint16Array },
  { dtype: "bfloat16", safetensors: "BF16", array: Uint16Array },
  { dtype: "int16", safetensors: "I16", array: Int16Array },
  { dtype: "uint16", safetensors: "U16", array: Uint16Array },
  { dtype: "int8", safetensors: "I8", array: Int8Array },
  { dtype: "uint8", safetensors: "U8", array: Uint8Array },
  { dtype: "bool", safetensors: "BOOL", array: Uint8Array },
];

const byDtype = new Map<string, DtypeInfo>(DTYPES.map((info) => [info.dtype, info]));
const bySafetensors = new Map<string, DtypeInfo>(DTYPES.map((info) => [info.safetensors, info]));

/** Facts about a type of ours, or undefined if there is no such type. */
export function dtypeInfo(dtype: string): DtypeInfo | undefined {
  return byDtype.get(dtype);
}

/** Facts about a type by its safetensors name, or undefined if we have no such type. */
export function safetensorsDtypeInfo(name: string): DtypeInfo | undefined {
  return bySafetensors.get(name);
}

/** The safetensors names of all types that can be read. */
export function safetensorsDtypes(): string[] {
  return [...bySafetensors.keys()];
}

/**
 * The number of elements of a shape, or undefined if the shape is none: a dimension that is no whole number from 0 up,
 * or a product beyond what a number holds exactly.
 */
export function elementCount(shape: readonly unknown[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || (size as number) < 0) return undefined;
    count *= size as number;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}
