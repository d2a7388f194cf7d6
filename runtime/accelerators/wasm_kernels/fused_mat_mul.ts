import { type Kernel, release, sizeOf, type TensorInfo } from "../wasm_backend.ts";
import type { KernelMaker } from "./registry.ts";
import { runKernel } from "./registry.ts";
import { matMul } from "./mat_mul.ts";

const ACTIVATIONS: Record<string, string> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

/**
 * Matrix product, bias and activation in one. The shipped kernel is fast for one pair of untransposed matrices and is kept for
 * them; the others become a product, an addition and an activation, which also lifts its limit to biases of rank 1.
 */
export const fusedMatMul: KernelMaker = (shipped): Kernel => (call) => {
  const { inputs, attrs, backend } = call;
  const { a, b, bias, preluActivationWeights } = inputs as Record<string, TensorInfo | undefined>;
  const activation = attrs.activation ?? "linear";
  const fast = shipped && !attrs.transposeA && !attrs.transposeB && a!.dtype === "float32" && b!.dtype === "float32" &&
    a!.shape.length === 3 && a!.shape[0] === 1 && b!.shape[0] === 1 && (!bias || bias.shape.length === 1) &&
    sizeOf(a!.shape) * sizeOf(b!.shape) > 0 && (activation === "linear" || activation in ACTIVATIONS);
  if (fast) return shipped(call);
  const { transposeA, transposeB } = attrs;
  let out = matMul({ inputs: { a, b }, attrs: { transposeA, transposeB }, backend }) as TensorInfo;
  const replace = (next: TensorInfo) => {
    release(backend, out);
    out = next;
  };
  if (bias) replace(runKernel("Add", { inputs: { a: out, b: bias }, attrs: {}, backend }));
  if (activation === "linear") return out;
  const kernel = ACTIVATIONS[activation];
  if (!kernel) {
    release(backend, out);
    throw new Error(
      `matMul cannot be fused with the activation ${activation}; it can with ${Object.keys(ACTIVATIONS).join(", ")}`,
    );
  }
  const operands = activation === "prelu" ? { x: out, alpha: preluActivationWeights } : { x: out };
  replace(runKernel(kernel, { inputs: operands, attrs: { alpha: attrs.leakyreluAlpha }, backend }));
  return out;
};
