import type { Kernel, TensorInfo } from "../wasm_backend.ts";
import { conv2DBackpropFilter } from "./conv2d_backprop_filter.ts";
import { conv2DBackpropInput } from "./conv2d_backprop_input.ts";
import { conv3DBackpropFilter, conv3DBackpropInput } from "./conv3d_backprop.ts";
import { onCpu } from "./cpu_fallback.ts";
import { cumulative } from "./cumulative.ts";
import { depthwiseBackpropFilter, depthwiseBackpropInput } from "./depthwise_backprop.ts";
import { cast, identity, sum } from "./elementwise.ts";
import { fusedMatMul } from "./fused_mat_mul.ts";
import { matMul } from "./mat_mul.ts";
import { maxPoolGrad } from "./max_pool_grad.ts";
import { prelu } from "./prelu.ts";
import { type KernelMaker, replaceKernel } from "./registry.ts";
import { resizeNearestGrad } from "./resize_nearest_grad.ts";
import { unsortedSegmentSum } from "./unsorted_segment_sum.ts";

/** Each with its reason in its own file, and all of them in docs/accelerators.md. */
const REPLACED: Readonly<Record<string, KernelMaker>> = {
  BatchMatMul: () => matMul,
  _FusedMatMul: fusedMatMul,
  Conv2DBackpropFilter: () => conv2DBackpropFilter,
  Conv2DBackpropInput: () => conv2DBackpropInput,
  Conv3DBackpropFilterV2: () => conv3DBackpropFilter,
  Conv3DBackpropInputV2: () => conv3DBackpropInput,
  DepthwiseConv2dNativeBackpropFilter: () => depthwiseBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: () => depthwiseBackpropInput,
  MaxPoolGrad: () => maxPoolGrad,
  ResizeNearestNeighborGrad: () => resizeNearestGrad,
  UnsortedSegmentSum: () => unsortedSegmentSum,
  Identity: () => identity,
  Cast: cast,
  Sum: sum,
  Prelu: prelu,
  Cumsum: cumulative,
  Cumprod: cumulative,
};

/** Missing in WebAssembly, or (Dilation2D) wrong there, and too rare for a fast version. */
const ON_CPU = [
  "Dilation2D",
  "Einsum",
  "RaggedGather",
  "RaggedRange",
  "RaggedTensorToTensor",
  "StaticRegexReplace",
] as const;

/** The compiled kernels of these read any number as a float. */
const FLOATS_ONLY = [
  "Acos",
  "Acosh",
  "Asin",
  "Asinh",
  "Atanh",
  "ClipByValue",
  "Expm1",
  "IsFinite",
  "IsInf",
  "IsNan",
  "Log1p",
  "Reciprocal",
] as const;

/** Gives the started wasm backend the kernels that training needs and it lacks, and better ones where its own are slow or wrong. */
export function installWasmKernels(): void {
  for (const [name, make] of Object.entries(REPLACED)) replaceKernel(name, make);
  for (const name of ON_CPU) replaceKernel(name, () => onCpu(name));
  for (const name of FLOATS_ONLY) replaceKernel(name, (shipped) => ofType("float32", shipped!, onCpu(name)));
  // Compiled code reverses four bytes at a time.
  replaceKernel("Reverse", (shipped) => {
    const bytewise = onCpu("Reverse");
    return (call) => (call.inputs.x as TensorInfo).dtype === "bool" ? bytewise(call) : shipped!(call);
  });
}

function ofType(dtype: string, kernel: Kernel, otherwise: Kernel): Kernel {
  return (call) => (call.inputs.x as TensorInfo).dtype === dtype ? kernel(call) : otherwise(call);
}
