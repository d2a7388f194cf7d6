/** A tensor's values in the process's own memory: what checkpoints, loaders and collectives handle. */
export interface HostTensor {
  readonly dtype: HostDtype;
  readonly shape: readonly number[];
  /** Row-major values. float16 and bfloat16 are kept as their bits. */
  readonly data: HostArray;
}

export type HostDtype =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "uint16"
  | "bool";

export type HostArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint16Array
  | Uint8Array;

/** True for what {@linkcode HostTensor} describes. */
export function isHostTensor(value: unknown): value is HostTensor {
  return typeof value === "object" && value !== null && "dtype" in value && "shape" in value && "data" in value &&
    ArrayBuffer.isView(value.data);
}
