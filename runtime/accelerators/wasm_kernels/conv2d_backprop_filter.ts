import { idOf, type Kernel, release, type TensorInfo, type WasmBackend } from "../wasm_backend.ts";
import { gradientInfo } from "./conv2d_info.ts";
import { runKernel } from "./registry.ts";

/**
 * The gradient of a convolution with respect to its filter; wasm ships none. It is itself a convolution, and runs as one through
 * the compiled code: channels of `x` are its images, images of `x` its channels, `dy` its filter, and the stride its dilation.
 */
export const conv2DBackpropFilter: Kernel = ({ inputs, attrs, backend }) => {
  const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
  const info = gradientInfo("Conv2DBackpropFilter", x.shape, attrs.filterShape, attrs);
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const images = transposed(backend, x, [3, 1, 2, 0]), filter = transposed(backend, dy, [1, 2, 0, 3]);
  const spanHeight = (outHeight - 1) * strideHeight + 1, spanWidth = (outWidth - 1) * strideWidth + 1;
  const bottom = Math.max(0, filterHeight - 1 + spanHeight - inHeight - padInfo.top);
  const right = Math.max(0, filterWidth - 1 + spanWidth - inWidth - padInfo.left);
  // Where the stride leaves pixels over at the edge, more comes out than the filter has; the surplus is cut off.
  const height = inHeight + padInfo.top + bottom - spanHeight + 1,
    width = inWidth + padInfo.left + right - spanWidth + 1;
  let out = backend.makeOutput([inChannels, height, width, outChannels], "float32");
  // deno-fmt-ignore
  backend.wasm._Conv2D(
    idOf(backend, images), inChannels, inHeight, inWidth, idOf(backend, filter), outHeight, outWidth,
    padInfo.top, right, bottom, padInfo.left, 0, strideHeight, strideWidth, 1, 1, batchSize, outChannels, idOf(backend, out),
  );
  release(backend, images, filter);
  if (height !== filterHeight || width !== filterWidth) {
    const whole = out, size = [inChannels, filterHeight, filterWidth, outChannels];
    out = runKernel("Slice", { inputs: { x: whole }, attrs: { begin: [0, 0, 0, 0], size }, backend });
    release(backend, whole);
  }
  const gradient = transposed(backend, out, [1, 2, 0, 3]);
  release(backend, out);
  return gradient;
};

function transposed(backend: WasmBackend, x: TensorInfo, perm: number[]): TensorInfo {
  return runKernel("Transpose", { inputs: { x }, attrs: { perm }, backend });
}
