import { warn } from "../../core/messages.ts";
import { tf } from "../../tensor/tf.ts";

/** The number of samples in a batch: the first dimension of its first tensor; 1 if there is no tensor. */
export function batchSizeOf(batch: unknown): number {
  const sizes = new Set(sizesIn(batch));
  const [first] = sizes;
  if (sizes.size > 1) {
    warn(
      "ambiguous-batch-size",
      "Trying to infer the `batchSize` from an ambiguous collection. " +
        `The batch size we found is ${first}. To avoid any miscalculations, use \`this.log(…, { batchSize })\`.`,
    );
  }
  return first ?? 1;
}

function* sizesIn(batch: unknown): Generator<number> {
  if (batch instanceof tf.Tensor) yield batch.rank === 0 ? 1 : batch.shape[0];
  else if (typeof batch === "string") yield batch.length;
  else if (Array.isArray(batch)) { for (const part of batch) yield* sizesIn(part); }
  else if (typeof batch === "object" && batch !== null && Object.getPrototypeOf(batch) === Object.prototype) {
    for (const part of Object.values(batch)) yield* sizesIn(part);
  }
}
