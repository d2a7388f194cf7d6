import { tf } from "../tensor/tf.ts";

/** What becomes of the losses of the single values: their mean, their sum, or nothing. */
export type Reduction = "mean" | "sum" | "none";

/** What tf.customGrad hands to its function: keeps tensors for the gradient. */
export type SaveForGradient = (tensors: tf.Tensor[]) => void;

/** @throws TypeError if it is none of the three */
export function checkReduction(reduction: Reduction): Reduction {
  if (reduction === "mean" || reduction === "sum" || reduction === "none") return reduction;
  throw new TypeError(`\`reduction\` must be "mean", "sum" or "none", but got ${String(reduction)}`);
}

/** Applies a reduction. */
export function reduce(losses: tf.Tensor, reduction: Reduction): tf.Tensor {
  if (reduction === "none") return losses;
  return reduction === "mean" ? tf.mean(losses) : tf.sum(losses);
}
