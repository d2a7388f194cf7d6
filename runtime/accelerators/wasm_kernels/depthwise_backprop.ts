import { floats, type Kernel, type TensorInfo, zeros } from "../wasm_backend.ts";
import { type Conv2DInfo, gradientInfo } from "./conv2d_info.ts";

/** The gradient of a depthwise convolution with respect to its filter; wasm ships none. A plain loop over the heap. */
export const depthwiseBackpropFilter: Kernel = ({ inputs, attrs, backend }) => {
  const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
  const info = gradientInfo("DepthwiseConv2dNativeBackpropFilter", x.shape, attrs.filterShape, attrs, true);
  const out = zeros(backend, attrs.filterShape);
  const [xs, dys, gradient] = [x, dy, out].map((tensor) => floats(backend, tensor));
  const { inChannels, outChannels } = info, multiplier = outChannels / inChannels;
  eachPair(info, (pixel, window, tap) => {
    for (let channel = 0, o = 0; channel < inChannels; channel++) {
      const value = xs[pixel + channel];
      for (let m = 0; m < multiplier; m++, o++) gradient[tap + o] += value * dys[window + o];
    }
  });
  return out;
};

/** The gradient of a depthwise convolution with respect to its input; wasm ships none. A plain loop over the heap. */
export const depthwiseBackpropInput: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, filter } = inputs as { dy: TensorInfo; filter: TensorInfo };
  const info = gradientInfo("DepthwiseConv2dNativeBackpropInput", attrs.inputShape, filter.shape, attrs, true);
  const out = zeros(backend, attrs.inputShape);
  const [dys, filters, gradient] = [dy, filter, out].map((tensor) => floats(backend, tensor));
  const { inChannels, outChannels } = info, multiplier = outChannels / inChannels;
  eachPair(info, (pixel, window, tap) => {
    for (let channel = 0, o = 0; channel < inChannels; channel++) {
      let sum = 0;
      for (let m = 0; m < multiplier; m++, o++) sum += dys[window + o] * filters[tap + o];
      gradient[pixel + channel] += sum;
    }
  });
  return out;
};

/** Calls `visit` with where a pixel's, a window's and a filter tap's channels start, for all that meet. */
function eachPair(info: Conv2DInfo, visit: (pixel: number, window: number, tap: number) => void): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, filterHeight, filterWidth } =
    info;
  for (let image = 0; image < batchSize; image++) {
    for (let outY = 0; outY < outHeight; outY++) {
      for (let outX = 0; outX < outWidth; outX++) {
        const window = ((image * outHeight + outY) * outWidth + outX) * outChannels;
        for (let filterY = 0; filterY < filterHeight; filterY++) {
          const y = outY * info.strideHeight - info.padInfo.top + filterY * info.dilationHeight;
          if (y < 0 || y >= inHeight) continue;
          for (let filterX = 0; filterX < filterWidth; filterX++) {
            const x = outX * info.strideWidth - info.padInfo.left + filterX * info.dilationWidth;
            if (x < 0 || x >= inWidth) continue;
            visit(
              ((image * inHeight + y) * inWidth + x) * inChannels,
              window,
              (filterY * filterWidth + filterX) * outChannels,
            );
          }
        }
      }
    }
  }
}
