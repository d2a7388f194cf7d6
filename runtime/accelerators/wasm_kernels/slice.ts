import { tf } from "../../tensor/tf.ts";
import { type Kernel, sizeOf, type TensorInfo } from "../wasm_backend.ts";

/**
 * A part of a tensor, copied piece by piece within the heap. The shipped kernel first copies the whole tensor out of it, and does not
 * look whether the part lies inside.
 */
export const slice: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x as TensorInfo;
  const [begin, size] = tf.slice_util.parseSliceParams(x as unknown as tf.Tensor, attrs.begin, attrs.size);
  tf.slice_util.assertParamsValid(x as unknown as tf.Tensor, begin, size);
  const out = backend.makeOutput(size, x.dtype);
  // Axes from `whole` on are taken as they are: what they span lies in one piece, together with the axis before them.
  let whole = x.shape.length;
  while (whole > 0 && size[whole - 1] === x.shape[whole - 1]) whole--;
  const axis = Math.max(0, whole - 1), width = tf.util.bytesPerElement(x.dtype);
  const strides = x.shape.map((_, i) => sizeOf(x.shape.slice(i + 1)) * width);
  const piece = sizeOf(size.slice(axis)) * width, pieces = sizeOf(size.slice(0, axis));
  const heap = backend.wasm.HEAPU8;
  let from = begin.reduce((at, start, i) => at + start * strides[i], backend.dataIdMap.get(x.dataId).memoryOffset);
  let to = backend.dataIdMap.get(out.dataId).memoryOffset;
  if (piece === 0) return out;
  const index = new Array(axis).fill(0);
  for (let i = 0; i < pieces; i++, to += piece) {
    heap.copyWithin(to, from, from + piece);
    for (let j = axis - 1; j >= 0; j--) {
      from += strides[j];
      if (++index[j] < size[j]) break;
      from -= size[j] * strides[j];
      index[j] = 0;
    }
  }
  return out;
};
