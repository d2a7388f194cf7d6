import { type Kernel, sizeOf, type TensorInfo } from "../wasm_backend.ts";
import { finishFused, isFusable } from "./fused_activation.ts";
import { matMul } from "./mat_mul.ts";
import type { KernelMaker } from "./registry.ts";

/**
 * Matrix product, bias and activation in one. The shipped kernel is fast for one pair of untransposed matrices and is kept for
 * them; the others become a product, an addition and an activation, which also lifts its limit to biases of rank 1.
 */
export const fusedMatMul: KernelMaker = (shipped): Kernel => (call) => {
  const { inputs, attrs, backend } = call;
  const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
  const fast = shipped && !attrs.transposeA && !attrs.transposeB && a.dtype === "float32" && b.dtype === "float32" &&
    a.shape.length === 3 && a.shape[0] === 1 && b.shape[0] === 1 && sizeOf(a.shape) * sizeOf(b.shape) > 0 &&
    isFusable(call, b.shape[2]);
  if (fast) return shipped(call);
  const { transposeA, transposeB } = attrs;
  return finishFused(call, matMul({ inputs: { a, b }, attrs: { transposeA, transposeB }, backend }) as TensorInfo);
};
