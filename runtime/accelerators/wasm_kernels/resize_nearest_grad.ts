import { floats, type Kernel, type TensorInfo, zeros } from "../wasm_backend.ts";

/**
 * The gradient of enlarging images by nearest neighbours: each pixel gets what its copies got. The shipped kernel leaves
 * halfPixelCenters out of account (the one of plain JavaScript is wrong for most sizes).
 */
export const resizeNearestGrad: Kernel = ({ inputs, attrs, backend }) => {
  const { images, dy } = inputs as { images: TensorInfo; dy: TensorInfo };
  const [batch, inHeight, inWidth, channels] = images.shape, [, outHeight, outWidth] = dy.shape;
  const rows = sources(inHeight, outHeight, attrs), columns = sources(inWidth, outWidth, attrs);
  const out = zeros(backend, images.shape);
  const from = floats(backend, dy), to = floats(backend, out);
  let source = 0;
  for (let image = 0; image < batch; image++) {
    for (const row of rows) {
      for (const column of columns) {
        const pixel = ((image * inHeight + row) * inWidth + column) * channels;
        for (let channel = 0; channel < channels; channel++) to[pixel + channel] += from[source++];
      }
    }
  }
  return out;
};

/** Which pixel along an axis each pixel of the result is a copy of. */
function sources(
  inSize: number,
  outSize: number,
  attrs: { alignCorners?: boolean; halfPixelCenters?: boolean },
): number[] {
  const { alignCorners = false, halfPixelCenters = false } = attrs;
  const aligned = alignCorners && outSize > 1;
  const scale = aligned ? (inSize - 1) / (outSize - 1) : inSize / outSize;
  return Array.from({ length: outSize }, (_, i) => {
    const at = scale * (halfPixelCenters ? i + 0.5 : i);
    return Math.max(0, Math.min(inSize - 1, alignCorners ? Math.round(at) : Math.floor(at)));
  });
}
