import type { Kernel, TensorInfo } from "../wasm_backend.ts";
import { onCpu } from "./cpu_fallback.ts";
import type { KernelMaker } from "./registry.ts";

/**
 * Pooling. Compiled code refuses windows of one pixel, without a word: it leaves the output as it was. It reads integers as floats
 * or not at all.
 */
export function pooling(name: "MaxPool" | "AvgPool"): KernelMaker {
  const plain = onCpu(name);
  return (shipped): Kernel => (call) => {
    const { filterSize } = call.attrs;
    const onePixel = [filterSize].flat().every((length) => length === 1);
    return onePixel || (call.inputs.x as TensorInfo).dtype !== "float32" ? plain(call) : shipped!(call);
  };
}
