import { tf } from "../../tensor/tf.ts";
import { floats, type Kernel, type TensorInfo, zeros } from "../wasm_backend.ts";

type Conv3DInfo = ReturnType<typeof tf.backend_util.computeConv3DInfo>;
type Shape5D = [number, number, number, number, number];

/** The gradient of a three-dimensional convolution with respect to its filter. A plain loop; the shipped kernel is wrong. */
export const conv3DBackpropFilter: Kernel = ({ inputs, attrs, backend }) => {
  const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
  const { strides, pad, filterShape } = attrs;
  const info = tf.backend_util.computeConv3DInfo(x.shape as Shape5D, filterShape, strides, 1, pad);
  const out = zeros(backend, filterShape), { inChannels, outChannels } = info;
  const [xs, dys, gradient] = [x, dy, out].map((tensor) => floats(backend, tensor));
  eachPair(info, (pixel, window, tap) => {
    for (let i = 0, at = tap; i < inChannels; i++) {
      const value = xs[pixel + i];
      for (let o = 0; o < outChannels; o++, at++) gradient[at] += value * dys[window + o];
    }
  });
  return out;
};

/** The gradient of a three-dimensional convolution with respect to its input. A plain loop; the shipped kernel is wrong. */
export const conv3DBackpropInput: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, filter } = inputs as { dy: TensorInfo; filter: TensorInfo };
  const { strides, pad, inputShape } = attrs;
  const info = tf.backend_util.computeConv3DInfo(inputShape, filter.shape as Shape5D, strides, 1, pad);
  const out = zeros(backend, inputShape), { inChannels, outChannels } = info;
  const [dys, filters, gradient] = [dy, filter, out].map((tensor) => floats(backend, tensor));
  eachPair(info, (pixel, window, tap) => {
    for (let i = 0, at = tap; i < inChannels; i++) {
      let sum = 0;
      for (let o = 0; o < outChannels; o++, at++) sum += dys[window + o] * filters[at];
      gradient[pixel + i] += sum;
    }
  });
  return out;
};

/** Calls `visit` with where a voxel's, a window's and a filter tap's channels start, for all that meet. */
function eachPair(info: Conv3DInfo, visit: (pixel: number, window: number, tap: number) => void): void {
  const { batchSize, inDepth, inHeight, inWidth, inChannels, outDepth, outHeight, outWidth, outChannels, padInfo } =
    info;
  const { filterDepth, filterHeight, filterWidth, strideDepth, strideHeight, strideWidth } = info;
  let window = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let outZ = 0; outZ < outDepth; outZ++) {
      for (let outY = 0; outY < outHeight; outY++) {
        for (let outX = 0; outX < outWidth; outX++, window += outChannels) {
          let tap = 0;
          for (let filterZ = 0; filterZ < filterDepth; filterZ++) {
            const z = outZ * strideDepth - padInfo.front + filterZ;
            for (let filterY = 0; filterY < filterHeight; filterY++) {
              const y = outY * strideHeight - padInfo.top + filterY;
              for (let filterX = 0; filterX < filterWidth; filterX++, tap += inChannels * outChannels) {
                const x = outX * strideWidth - padInfo.left + filterX;
                if (z < 0 || y < 0 || x < 0 || z >= inDepth || y >= inHeight || x >= inWidth) continue;
                visit((((image * inDepth + z) * inHeight + y) * inWidth + x) * inChannels, window, tap);
              }
            }
          }
        }
      }
    }
  }
}
