import type { Kernel, TensorInfo, WasmBackend } from "../wasm_backend.ts";
import { asShipped, channelsFirst, channelsLastOnly } from "./channels_first.ts";
import { conv2DBackpropFilter } from "./conv2d_backprop_filter.ts";
import { conv2DBackpropInput } from "./conv2d_backprop_input.ts";
import { conv3DBackpropFilter, conv3DBackpropInput } from "./conv3d_backprop.ts";
import { onCpu } from "./cpu_fallback.ts";
import { cumulative } from "./cumulative.ts";
import { depthwiseBackpropFilter, depthwiseBackpropInput } from "./depthwise_backprop.ts";
import { bincount, cast, clipByValue, identity, sum } from "./elementwise.ts";
import { fusedConvolution } from "./fused_convolution.ts";
import { fusedMatMul } from "./fused_mat_mul.ts";
import { matMul } from "./mat_mul.ts";
import { maxPoolGrad } from "./max_pool_grad.ts";
import { installOtherTypes } from "./other_types.ts";
import { pooling } from "./pooling.ts";
import { prelu } from "./prelu.ts";
import { type KernelMaker, replaceKernel } from "./registry.ts";
import { resizeNearestGrad } from "./resize_nearest_grad.ts";
import { slice } from "./slice.ts";
import { unsortedSegmentSum } from "./unsorted_segment_sum.ts";

/** Each with its reason in its own file, and all of them in docs/accelerators.md. */
const REPLACED: Readonly<Record<string, KernelMaker>> = {
  BatchMatMul: () => matMul,
  _FusedMatMul: fusedMatMul,
  Conv2D: channelsFirst(asShipped, ["x"], true),
  Conv2DBackpropFilter: channelsFirst(() => conv2DBackpropFilter, ["x", "dy"], false),
  Conv2DBackpropInput: channelsFirst(() => conv2DBackpropInput, ["dy"], true),
  FusedConv2D: fusedConvolution("Conv2D"),
  FusedDepthwiseConv2D: fusedConvolution("DepthwiseConv2dNative"),
  Conv3DBackpropFilterV2: () => conv3DBackpropFilter,
  Conv3DBackpropInputV2: () => conv3DBackpropInput,
  DepthwiseConv2dNative: channelsLastOnly("DepthwiseConv2dNative"),
  DepthwiseConv2dNativeBackpropFilter: () => depthwiseBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: () => depthwiseBackpropInput,
  MaxPool: pooling("MaxPool"),
  AvgPool: pooling("AvgPool"),
  MaxPoolGrad: () => maxPoolGrad,
  ResizeNearestNeighborGrad: () => resizeNearestGrad,
  UnsortedSegmentSum: () => unsortedSegmentSum,
  Identity: () => identity,
  Cast: cast,
  Sum: sum,
  ClipByValue: () => clipByValue,
  Bincount: bincount,
  Slice: () => slice,
  Prelu: prelu,
  Cumsum: cumulative,
  Cumprod: cumulative,
};

/** Missing in WebAssembly, or (dilations) wrong there, and too rare for a fast version. */
const ON_CPU = [
  "Dilation2D",
  "Dilation2DBackpropFilter",
  "Dilation2DBackpropInput",
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
export function installWasmKernels(backend: WasmBackend): void {
  for (const [name, make] of Object.entries(REPLACED)) replaceKernel(name, make);
  for (const name of ON_CPU) replaceKernel(name, () => onCpu(name));
  for (const name of FLOATS_ONLY) replaceKernel(name, (shipped) => ofType("float32", shipped!, onCpu(name)));
  // Compiled code reverses four bytes at a time.
  replaceKernel("Reverse", (shipped) => {
    const bytewise = onCpu("Reverse");
    return (call) => (call.inputs.x as TensorInfo).dtype === "bool" ? bytewise(call) : shipped!(call);
  });
  installOtherTypes(backend);
}

function ofType(dtype: string, kernel: Kernel, otherwise: Kernel): Kernel {
  return (call) => (call.inputs.x as TensorInfo).dtype === dtype ? kernel(call) : otherwise(call);
}
