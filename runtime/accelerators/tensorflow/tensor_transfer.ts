import { DataType, elementLayout, type NumericArray } from "./data_types.ts";
import type { OpenedLibrary } from "./open_library.ts";
import type { Status } from "./status.ts";
import { readStrings } from "./strings.ts";
import type { Api } from "./symbols.ts";

/** A shape as the C API takes it. */
export function dimensions(shape: readonly number[]): BigInt64Array<ArrayBuffer> {
  const out = new BigInt64Array(shape.length);
  for (let i = 0; i < shape.length; i++) out[i] = BigInt(shape[i]);
  return out;
}

/**
 * A handle in the process's memory with a copy of `values`.
 * @throws TypeError for an array of another type than the tensor's, RangeError for one of another length than the shape's
 */
export function numericHandle(
  library: OpenedLibrary,
  status: Status,
  tensor: { shape: readonly number[]; dataType: number; values: NumericArray },
): Deno.PointerValue {
  const { api, copyTo } = library;
  const { shape, dataType, values } = tensor;
  const layout = elementLayout(dataType);
  if (!layout.arrays.some((constructor) => values instanceof constructor)) {
    const given = (values as object | null)?.constructor?.name ?? String(values);
    throw new TypeError(
      `a tensor of ${layout.name} cannot be made of ${given}; give ${
        layout.arrays.map(({ name }) => name).join(" or ")
      }`,
    );
  }
  const bytes = shape.reduce((product, size) => product * size, layout.bytes);
  if (values.byteLength !== bytes) {
    throw new RangeError(
      `a tensor of ${layout.name} of shape [${shape}] has ${bytes} bytes, but the ${values.length} values given have ${values.byteLength}`,
    );
  }
  const made = api.TF_AllocateTensor(dataType, dimensions(shape), shape.length, BigInt(bytes));
  if (!made) throw new RangeError(`TensorFlow has no memory for ${bytes} bytes`);
  try {
    const data = bytes > 0 ? api.TF_TensorData(made) : null;
    if (data) copyTo(data, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const handle = api.TFE_NewTensorHandle(made, status.pointer);
    status.check("cannot make a tensor");
    return handle;
  } finally {
    api.TF_DeleteTensor(made);
  }
}

/** Copies what a handle holds. Waits until it is computed. */
export function readHandle(
  api: Api,
  status: Status,
  handle: Deno.PointerValue,
): NumericArray | Uint8Array<ArrayBuffer>[] {
  const dataType = api.TFE_TensorHandleDataType(handle);
  const tensor = api.TFE_TensorHandleResolve(handle, status.pointer);
  status.check("cannot read a tensor");
  try {
    if (dataType === DataType.STRING) return readStrings(api, tensor);
    const bytes = Number(api.TF_TensorByteSize(tensor));
    let out: NumericArray;
    if (dataType === DataType.RESOURCE) out = new Uint8Array(bytes); // its serialized handle
    else {
      const { arrays: [Array], bytes: elementBytes } = elementLayout(dataType);
      out = new Array(dataType === DataType.COMPLEX64 ? bytes / 4 : bytes / elementBytes);
    }
    const data = bytes > 0 ? api.TF_TensorData(tensor) : null;
    if (data) Deno.UnsafePointerView.copyInto(data, out);
    // tfjs calls bytes that TensorFlow gives (a decoded image) int32.
    return dataType === DataType.UINT8 ? Int32Array.from(out as Uint8Array) : out;
  } finally {
    api.TF_DeleteTensor(tensor);
  }
}

/** Copies the numbers that a handle holds into an array of their type and number. Waits until they are computed. */
export function copyHandle(api: Api, status: Status, handle: Deno.PointerValue, target: NumericArray): void {
  const tensor = api.TFE_TensorHandleResolve(handle, status.pointer);
  status.check("cannot read a tensor");
  try {
    const bytes = Number(api.TF_TensorByteSize(tensor));
    if (bytes !== target.byteLength) {
      throw new RangeError(`a tensor of ${bytes} bytes does not fit ${target.byteLength}`);
    }
    if (bytes > 0) Deno.UnsafePointerView.copyInto(api.TF_TensorData(tensor)!, target);
  } finally {
    api.TF_DeleteTensor(tensor);
  }
}
