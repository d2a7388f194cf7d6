import { isHostTensor } from "../tensor/host_tensor.ts";
import { tf } from "../tensor/tf.ts";

/** How many samples a batch has: the first dimension of its tensors. Undefined if it has none, or if they differ. */
export function sampleCountOf(batch: unknown): number | undefined {
  const sizes = new Set(firstDimensions(batch));
  return sizes.size === 1 ? [...sizes][0] : undefined;
}

function* firstDimensions(batch: unknown): Generator<number> {
  if (batch instanceof tf.Tensor || isHostTensor(batch)) {
    if (batch.shape.length > 0) yield batch.shape[0];
  } else if (Array.isArray(batch)) { for (const part of batch) yield* firstDimensions(part); }
  else if (typeof batch === "object" && batch !== null && Object.getPrototypeOf(batch) === Object.prototype) {
    for (const part of Object.values(batch)) yield* firstDimensions(part);
  }
}
