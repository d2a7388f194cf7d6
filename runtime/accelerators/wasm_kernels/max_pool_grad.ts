import { tf } from "../../tensor/tf.ts";
import { floats, type Kernel, type TensorInfo, zeros } from "../wasm_backend.ts";

/**
 * The gradient of max pooling: each window's goes to its first largest pixel. In place of the shipped kernel, which asks for every
 * pixel which windows it might have won.
 */
export const maxPoolGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs as { dy: TensorInfo; input: TensorInfo };
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const info = tf.backend_util.computePool2DInfo(
    input.shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, filterHeight, filterWidth, padInfo } = info;
  const out = zeros(backend, input.shape);
  const [dys, xs, gradient] = [dy, input, out].map((tensor) => floats(backend, tensor));
  let window = 0;
  for (let image = 0; image < batchSize; image++) {
    for (let outY = 0; outY < outHeight; outY++) {
      const top = outY * info.strideHeight - padInfo.top;
      const firstY = Math.max(0, top), endY = Math.min(inHeight, top + filterHeight);
      for (let outX = 0; outX < outWidth; outX++) {
        const left = outX * info.strideWidth - padInfo.left;
        const firstX = Math.max(0, left), endX = Math.min(inWidth, left + filterWidth);
        for (let channel = 0; channel < inChannels; channel++, window++) {
          let largest = -Infinity, winner = -1;
          for (let y = firstY; y < endY; y++) {
            let pixel = ((image * inHeight + y) * inWidth + firstX) * inChannels + channel;
            for (let x = firstX; x < endX; x++, pixel += inChannels) {
              if (xs[pixel] > largest) {
                largest = xs[pixel];
                winner = pixel;
              }
            }
          }
          if (winner >= 0) gradient[winner] += dys[window];
        }
      }
    }
  }
  return out;
};
