import { floats, integers, type Kernel, sizeOf, type TensorInfo } from "../wasm_backend.ts";

/**
 * Adds up the rows of `x` that have the same segment id, as the gradient of a look-up (an embedding) does; wasm ships none. Rows
 * whose id is out of range are left out, as in TensorFlow.
 */
export const unsortedSegmentSum: Kernel = ({ inputs, attrs, backend }) => {
  const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
  const { numSegments } = attrs as { numSegments: number };
  const rowShape = x.shape.slice(segmentIds.shape.length), row = sizeOf(rowShape);
  const out = backend.makeOutput([numSegments, ...rowShape], x.dtype);
  const ids = integers(backend, segmentIds);
  const view = x.dtype === "int32" ? integers : floats;
  const from = view(backend, x), to = view(backend, out);
  to.fill(0);
  for (let i = 0, source = 0; i < ids.length; i++, source += row) {
    const id = ids[i];
    if (id < 0 || id >= numSegments) continue;
    for (let j = 0, target = id * row; j < row; j++, target++) to[target] += from[source + j];
  }
  return out;
};
