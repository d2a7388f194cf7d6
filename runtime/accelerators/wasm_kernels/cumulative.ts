import type { Kernel, TensorInfo } from "../wasm_backend.ts";
import type { KernelMaker } from "./registry.ts";

/** Running sums and products. The shipped kernels take an axis counted from the end for an offset and write past the heap. */
export const cumulative: KernelMaker = (shipped): Kernel => (call) => {
  const rank = (call.inputs.x as TensorInfo).shape.length, { axis } = call.attrs;
  return shipped!({ ...call, attrs: { ...call.attrs, axis: axis < 0 ? axis + rank : axis } });
};
