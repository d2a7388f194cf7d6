import { floats, type Kernel, sizeOf, type TensorInfo } from "../wasm_backend.ts";
import { tf } from "../../tensor/tf.ts";
import type { KernelMaker } from "./registry.ts";

/** The same data under a second reference. The shipped kernel copies, which every clone and every gradient paid for. */
export const identity: Kernel = ({ inputs, backend }) => {
  const { dataId, shape, dtype } = inputs.x as TensorInfo;
  backend.incRef(dataId);
  return { dataId, shape, dtype };
};

/**
 * Another type. To its own type it costs nothing; to bool it asks for being zero (the shipped kernel keeps a number's lowest byte:
 * 0.5 and 256 became false).
 */
export const cast: KernelMaker = (shipped): Kernel => (call) => {
  const x = call.inputs.x as TensorInfo, { dtype } = call.attrs;
  if (dtype === x.dtype) return identity(call);
  if (dtype !== "bool" || (x.dtype !== "float32" && x.dtype !== "int32")) return shipped!(call);
  const { backend } = call, out = backend.makeOutput(x.shape, "bool");
  const { memoryOffset } = backend.dataIdMap.get(x.dataId), size = sizeOf(x.shape), { buffer } = backend.wasm.HEAPU8;
  const from = x.dtype === "float32"
    ? new Float32Array(buffer, memoryOffset, size)
    : new Int32Array(buffer, memoryOffset, size);
  const to = new Uint8Array(buffer, backend.dataIdMap.get(out.dataId).memoryOffset, size);
  for (let i = 0; i < size; i++) to[i] = from[i] === 0 ? 0 : 1;
  return out;
};

/**
 * Sums. Over leading axes, as the gradient of a bias, it adds up rows where they lie (in float64); the shipped kernel transposes
 * first.
 */
export const sum: KernelMaker = (shipped): Kernel => (call) => {
  const { backend, attrs: { axis, keepDims } } = call, x = call.inputs.x as TensorInfo;
  const axes = tf.util.parseAxisParam(axis, x.shape).toSorted((a, b) => a - b);
  const leading = axes.length < x.shape.length && axes.every((axis, i) => axis === i);
  if (!leading || x.dtype !== "float32" || axes.length === 0) return shipped!(call);
  const rest = x.shape.slice(axes.length), row = sizeOf(rest), size = sizeOf(x.shape);
  const out = backend.makeOutput(keepDims ? [...axes.map(() => 1), ...rest] : rest, "float32");
  const from = floats(backend, x), totals = new Float64Array(row);
  for (let i = 0; i < size; i += row) {
    for (let j = 0; j < row; j++) totals[j] += from[i + j];
  }
  floats(backend, out).set(totals);
  return out;
};

/** Floats held between two bounds. NaN stays, as a loss that went wrong has to be seen; the shipped kernel makes a bound of it. */
export const clipByValue: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x as TensorInfo, { clipValueMin, clipValueMax } = attrs;
  const out = backend.makeOutput(x.shape, "float32");
  const from = floats(backend, x), to = floats(backend, out);
  for (let i = 0; i < from.length; i++) {
    const value = from[i];
    to[i] = value < clipValueMin ? clipValueMin : value > clipValueMax ? clipValueMax : value;
  }
  return out;
};

/** How often each integer occurs, whatever the shape; the shipped kernel makes one row too many for each row of a matrix. */
export const bincount: KernelMaker = (shipped): Kernel => (call) => {
  const x = call.inputs.x as TensorInfo;
  return shipped!({ ...call, inputs: { ...call.inputs, x: { ...x, shape: [sizeOf(x.shape)] } } });
};
