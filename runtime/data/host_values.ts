import { type HostArray, type HostDtype, type HostTensor, isHostTensor } from "../tensor/host_tensor.ts";

/** The dtype that a bare typed array stands for. Uint16Array is taken as uint16, not as the bits of a half float. */
export function dtypeOf(data: HostArray): HostDtype {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Uint16Array) return "uint16";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof BigInt64Array) return "int64";
  throw new TypeError(
    `${
      Object.prototype.toString.call(data).slice(8, -1)
    } holds no tensor values; use a Float32Array, Int32Array, Uint8Array, …`,
  );
}

/** How many values a tensor of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/**
 * A HostTensor over `data`, which is not copied.
 * @param shape Default: one dimension, the array's length
 * @throws {RangeError} if the shape does not hold exactly the array's values
 *
 * @example
 * ```ts
 * const images = hostTensor(new Uint8Array(2 * 28 * 28), [2, 28, 28, 1]);
 * ```
 */
export function hostTensor(data: HostArray, shape: readonly number[] = [data.length]): HostTensor {
  return checked({ dtype: dtypeOf(data), shape: [...shape], data }, "hostTensor");
}

/** A tensor as it is, or a typed array as a tensor of one dimension; checked. */
export function asHostTensor(value: HostTensor | HostArray, what: string): HostTensor {
  if (isHostTensor(value)) return checked(value, what);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return hostTensor(value);
  throw new TypeError(
    `${what} must be a HostTensor ({ dtype, shape, data }) or a typed array, but got ${describe(value)}`,
  );
}

function checked(tensor: HostTensor, what: string): HostTensor {
  if (!tensor.shape.every((n) => Number.isInteger(n) && n >= 0) || sizeOf(tensor.shape) !== tensor.data.length) {
    throw new RangeError(
      `${what}: a shape of [${tensor.shape}] holds ${
        sizeOf(tensor.shape)
      } values, but the array has ${tensor.data.length}`,
    );
  }
  return tensor;
}

/** A zeroed array of the same class. */
export function newArrayLike<A extends HostArray>(data: A, length: number): A {
  return new (data.constructor as new (length: number) => A)(length);
}

/** A value in a few words, for messages. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return `a ${value.constructor?.name ?? "record"}`;
  return typeof value === "string" ? JSON.stringify(value) : `${typeof value} ${String(value)}`;
}
