import type { Kernel, TensorInfo } from "../wasm_backend.ts";
import { finishFused, isFusable } from "./fused_activation.ts";
import { type KernelMaker, runKernel } from "./registry.ts";

/**
 * Convolution, bias and activation in one. The shipped kernels are kept where they can: images with channels last, and one number
 * of bias a channel. The others become a convolution, an addition and an activation.
 */
export function fusedConvolution(name: "Conv2D" | "DepthwiseConv2dNative"): KernelMaker {
  return (shipped): Kernel => (call) => {
    const { x, filter } = call.inputs as { x: TensorInfo; filter: TensorInfo };
    const { strides, pad, dataFormat, dilations, dimRoundingMode } = call.attrs;
    const channels = name === "Conv2D" ? filter.shape[3] : filter.shape[2] * filter.shape[3];
    if (dataFormat === "NHWC" && isFusable(call, channels)) return shipped!(call);
    const attrs = { strides, pad, dataFormat, dilations, dimRoundingMode };
    return finishFused(call, runKernel(name, { inputs: { x, filter }, attrs, backend: call.backend }));
  };
}
