import { type KernelCall, release, type TensorInfo } from "../wasm_backend.ts";
import { runKernel } from "./registry.ts";

const ACTIVATIONS: Record<string, string> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

/** Whether the shipped fused kernels can add the call's bias and compute its activation: one number a channel each. */
export function isFusable({ inputs, attrs }: KernelCall, channels: number): boolean {
  const { bias, preluActivationWeights } = inputs as Record<string, TensorInfo | undefined>;
  const activation = attrs.activation ?? "linear";
  const onePerChannel = (tensor: TensorInfo | undefined) => tensor?.shape.length === 1 && tensor.shape[0] === channels;
  return (!bias || onePerChannel(bias)) && (activation === "linear" || activation in ACTIVATIONS) &&
    (activation !== "prelu" || onePerChannel(preluActivationWeights));
}

/** Adds a fused call's bias to `out`, of any shape that broadcasts, and applies its activation. It takes `out` over. */
export function finishFused({ inputs, attrs, backend }: KernelCall, out: TensorInfo): TensorInfo {
  const { bias, preluActivationWeights } = inputs as Record<string, TensorInfo | undefined>;
  const activation = attrs.activation ?? "linear", kernel = ACTIVATIONS[activation];
  if (activation !== "linear" && !kernel) {
    release(backend, out);
    throw new Error(
      `nothing can be fused with the activation ${activation} on wasm; with ${
        Object.keys(ACTIVATIONS).join(", ")
      } it can`,
    );
  }
  // With channels first, one number a channel belongs to the third axis from the end.
  const aligned = (tensor: TensorInfo): TensorInfo =>
    attrs.dataFormat === "NCHW" && tensor.shape.length === 1 && tensor.shape[0] !== 1
      ? { ...tensor, shape: [tensor.shape[0], 1, 1] }
      : tensor;
  const replace = (next: TensorInfo) => {
    release(backend, out);
    out = next;
  };
  if (bias) replace(runKernel("Add", { inputs: { a: out, b: aligned(bias) }, attrs: {}, backend }));
  if (activation === "linear") return out;
  const operands = activation === "prelu" ? { x: out, alpha: aligned(preluActivationWeights!) } : { x: out };
  replace(runKernel(kernel, { inputs: operands, attrs: { alpha: attrs.leakyreluAlpha }, backend }));
  return out;
}
