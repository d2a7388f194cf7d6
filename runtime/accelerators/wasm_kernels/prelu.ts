import { type Kernel, release, type TensorInfo } from "../wasm_backend.ts";
import { type KernelMaker, runKernel } from "./registry.ts";

/**
 * `x` where positive, `alpha x` where negative. The shipped kernel takes one `alpha` for each channel and is kept for that; for
 * other shapes it computed nonsense and wrote past its output, where this broadcasts.
 */
export const prelu: KernelMaker = (shipped): Kernel => (call) => {
  const { inputs, backend } = call, { x, alpha } = inputs as { x: TensorInfo; alpha: TensorInfo };
  const perChannel = alpha.shape.length === 1 && alpha.shape[0] === x.shape.at(-1) && !x.shape.includes(0);
  if (perChannel && x.dtype === "float32" && alpha.dtype === "float32") return shipped!(call);
  const nought = backend.makeOutput(
    [],
    x.dtype,
    undefined,
    x.dtype === "int32" ? Int32Array.of(0) : Float32Array.of(0),
  );
  const positive = runKernel("Maximum", { inputs: { a: x, b: nought }, attrs: {}, backend });
  const negative = runKernel("Minimum", { inputs: { a: x, b: nought }, attrs: {}, backend });
  const scaled = runKernel("Multiply", { inputs: { a: negative, b: alpha }, attrs: {}, backend });
  const out = runKernel("Add", { inputs: { a: positive, b: scaled }, attrs: {}, backend });
  release(backend, nought, positive, negative, scaled);
  return out;
};
