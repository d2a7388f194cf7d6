import { floats, idOf, type Kernel, type KernelCall, release, type TensorInfo, zeros } from "../wasm_backend.ts";
import { type Conv2DInfo, gradientInfo } from "./conv2d_info.ts";
import { multiply, view } from "./mat_mul.ts";
import { runKernel } from "./registry.ts";

/** Floats of unfolded windows held at a time. */
const CHUNK = 1 << 20;

/**
 * The gradient of a convolution with respect to its input. The shipped kernel is a plain loop. With stride 1 it is a convolution of
 * `dy` with the filter turned around, which compiled code is fast at; with larger strides a matrix product gives each window's
 * part, and the parts are added up.
 */
export const conv2DBackpropInput: Kernel = (call) => {
  const { dy, filter } = call.inputs as { dy: TensorInfo; filter: TensorInfo };
  const info = gradientInfo("Conv2DBackpropInput", call.attrs.inputShape, filter.shape, call.attrs);
  const { batchSize, outHeight, outWidth, outChannels } = info;
  if (dy.shape[1] !== outHeight || dy.shape[2] !== outWidth) {
    // conv2dTranspose may be asked for less than its input gives; what lies outside of the convolution counts for nothing.
    const part = { begin: [0, 0, 0, 0], size: [batchSize, outHeight, outWidth, outChannels] };
    const cut = runKernel("Slice", { inputs: { x: dy }, attrs: part, backend: call.backend });
    try {
      return conv2DBackpropInput({ ...call, inputs: { dy: cut, filter } });
    } finally {
      release(call.backend, cut);
    }
  }
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const turnable = strideHeight === 1 && strideWidth === 1 && padInfo.top < filterHeight &&
    padInfo.left < filterWidth &&
    padInfo.bottom < filterHeight && padInfo.right < filterWidth;
  return turnable ? byConvolution(call, dy, filter, info) : byWindows(call, dy, filter, info);
};

function byConvolution({ backend }: KernelCall, dy: TensorInfo, filter: TensorInfo, info: Conv2DInfo): TensorInfo {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, filterHeight, filterWidth } =
    info;
  const turned = runKernel("Reverse", { inputs: { x: filter }, attrs: { dims: [0, 1] }, backend });
  const swapped = runKernel("Transpose", { inputs: { x: turned }, attrs: { perm: [0, 1, 3, 2] }, backend });
  const top = filterHeight - 1 - info.padInfo.top, left = filterWidth - 1 - info.padInfo.left;
  const bottom = inHeight - outHeight + info.padInfo.top, right = inWidth - outWidth + info.padInfo.left;
  const out = backend.makeOutput([batchSize, inHeight, inWidth, inChannels], "float32");
  // deno-fmt-ignore
  backend.wasm._Conv2D(
    idOf(backend, dy), batchSize, outHeight, outWidth, idOf(backend, swapped), filterHeight, filterWidth,
    top, right, bottom, left, 0, 1, 1, 1, 1, outChannels, inChannels, idOf(backend, out),
  );
  release(backend, turned, swapped);
  return out;
}

function byWindows({ backend }: KernelCall, dy: TensorInfo, filter: TensorInfo, info: Conv2DInfo): TensorInfo {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, filterHeight, filterWidth } =
    info;
  const windows = outHeight * outWidth, window = filterHeight * filterWidth * inChannels;
  const chunk = Math.max(1, Math.min(batchSize, Math.floor(CHUNK / (windows * window))));
  const out = zeros(backend, [batchSize, inHeight, inWidth, inChannels]);
  const flat = { ...filter, shape: [window, outChannels] };
  const swapped = runKernel("Transpose", { inputs: { x: flat }, attrs: { perm: [1, 0] }, backend });
  const parts = backend.makeOutput([chunk * windows, window], "float32");
  for (let first = 0; first < batchSize; first += chunk) {
    const images = Math.min(chunk, batchSize - first);
    {
      using dyView = view(backend, dy, first * windows * outChannels, images * windows * outChannels);
      multiply(backend, dyView.id, idOf(backend, swapped), idOf(backend, parts), [
        images * windows,
        outChannels,
        window,
      ]);
    }
    addWindows(floats(backend, parts), floats(backend, out), info, first, images);
  }
  release(backend, swapped, parts);
  return out;
}

/** Adds each window's part to the pixels it covers. A row of a window lies in one piece in both. */
function addWindows(parts: Float32Array, out: Float32Array, info: Conv2DInfo, first: number, images: number): void {
  const { inHeight, inWidth, inChannels, outHeight, outWidth, filterHeight, filterWidth, padInfo } = info;
  const row = filterWidth * inChannels;
  let part = 0;
  for (let image = first; image < first + images; image++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        const x = outX * info.strideWidth - padInfo.left;
        const from = Math.max(0, -x) * inChannels, to = Math.min(filterWidth, inWidth - x) * inChannels;
        for (let filterY = 0; filterY < filterHeight; filterY++, part += row) {
          const y = outY * info.strideHeight - padInfo.top + filterY;
          if (y < 0 || y >= inHeight) continue;
          const pixel = ((image * inHeight + y) * inWidth + x) * inChannels;
          for (let i = from; i < to; i++) out[pixel + i] += parts[part + i];
        }
      }
    }
  }
}
