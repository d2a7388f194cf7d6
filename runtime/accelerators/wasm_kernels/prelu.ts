import { type Kernel, release, type TensorInfo } from "../wasm_backend.ts";
import { type KernelMaker, runKernel } from "./registry.ts";

/**
 * `x` where positive, `alpha x` where negative. The shipped kernel takes one `alpha` for each channel and is kept for that; for
 * other shapes it computed nonsense and wrote past its output, where this broadcasts.
 */
export const prelu: KernelMaker = (shipped): Kernel => (call) => {
  const { backend } = call, { x, alpha } = call.inputs as { x: TensorInfo; alpha: TensorInfo };
  const perChannel = alpha.shape.length === 1 && alpha.shape[0] === x.shape.at(-1) && !x.shape.includes(0);
  if (perChannel && x.dtype === "float32" && alpha.dtype === "float32") return shipped!(call);
  const nought = backend.makeOutput([], "float32", undefined, Float32Array.of(0));
  const [values, slopes] = [x, alpha].map((tensor) =>
    runKernel("Cast", { inputs: { x: tensor }, attrs: { dtype: "float32" }, backend })
  );
  const positive = runKernel("Maximum", { inputs: { a: values, b: nought }, attrs: {}, backend });
  const negative = runKernel("Minimum", { inputs: { a: values, b: nought }, attrs: {}, backend });
  const scaled = runKernel("Multiply", { inputs: { a: negative, b: slopes }, attrs: {}, backend });
  const out = runKernel("Add", { inputs: { a: positive, b: scaled }, attrs: {}, backend });
  release(backend, nought, values, slopes, positive, negative, scaled);
  return out;
};
