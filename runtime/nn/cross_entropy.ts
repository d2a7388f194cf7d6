import { rejectUnknownOptions } from "../core/suggest.ts";
import { tf } from "../tensor/tf.ts";
import { checkReduction, type Reduction, type SaveForGradient } from "./reduction.ts";

/** Options of {@linkcode crossEntropy}. */
export interface CrossEntropyOptions {
  /** `"none"` gives the loss of every sample. Default: `"mean"`. */
  reduction?: Reduction;
  /** How much of the target is spread evenly over all classes, from 0 to 1. Default: 0. */
  labelSmoothing?: number;
  /** The weight of each class. With `"mean"` and class ids, the mean is weighted, as in PyTorch. Default: all 1. */
  classWeights?: readonly number[] | tf.Tensor1D;
}

/**
 * The cross entropy between the softmax of `logits` and the labels, computed as in PyTorch, stably for logits of any size.
 *
 * @param logits float32 of shape [batch, classes]
 * @param labels class ids (int32 of shape [batch]), or probabilities (one-hot or soft) of shape [batch, classes]
 * @returns one number; with `reduction: "none"`, shape [batch]. Differentiable with respect to the logits, not the labels
 * @throws TypeError or RangeError if a shape or option does not fit. Class ids out of range are not looked at: it would cost a wait
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const logits = tf.tensor2d([[2, 1, 0], [0, 3, 0]]);
 * const loss = crossEntropy(logits, tf.tensor1d([0, 1], "int32"));
 * console.assert(Math.abs(loss.dataSync()[0] - 0.2513) < 1e-4);
 * ```
 */
export function crossEntropy(logits: tf.Tensor, labels: tf.Tensor, options: CrossEntropyOptions = {}): tf.Tensor {
  rejectUnknownOptions("crossEntropy", options, ["reduction", "labelSmoothing", "classWeights"]);
  const reduction = checkReduction(options.reduction ?? "mean");
  const smoothing = options.labelSmoothing ?? 0;
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new RangeError(`\`labelSmoothing\` must be a number from 0 to 1, but got ${String(smoothing)}`);
  }
  const ids = checkShapes(logits, labels);
  const [batch, classes] = logits.shape;
  const weights = checkWeights(options.classWeights, classes);

  const loss = tf.customGrad((...inputs: (tf.Tensor | SaveForGradient)[]) => {
    const [x, save] = inputs as [tf.Tensor, SaveForGradient];
    const plain = ids ? tf.oneHot(labels.as1D().toInt(), classes).toFloat() : labels.toFloat();
    const smoothed = smoothing === 0 ? plain : tf.add(tf.mul(plain, 1 - smoothing), smoothing / classes);
    const target = weights ? tf.mul(smoothed, weights) : smoothed;
    const shifted = tf.sub(x, tf.max(x, 1, true));
    const exponentials = tf.exp(shifted);
    const total = tf.sum(exponentials, 1, true);
    // −Σ target·(shifted − log total). The rows of a plain one-hot target sum to 1.
    const sums = ids && !weights ? undefined : tf.sum(target, 1, true);
    const logTotal = tf.log(total);
    const perSample = tf.sub(sums ? tf.mul(logTotal, sums) : logTotal, tf.sum(tf.mul(target, shifted), 1, true)).as1D();
    // The mean over class ids is weighted by the classes that occur.
    const divisor = reduction !== "mean" ? 1 : ids && weights ? tf.sum(tf.mul(plain, weights)) : batch;
    const probabilities = tf.div(exponentials, total);
    const gradient = tf.sub(sums ? tf.mul(probabilities, sums) : probabilities, target);
    const scaled = divisor === 1 ? gradient : tf.div(gradient, divisor);
    save([scaled]);
    const value = reduction === "none"
      ? perSample
      : reduction === "sum"
      ? tf.sum(perSample)
      : tf.div(tf.sum(perSample), divisor);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(saved, reduction === "none" ? dy.as2D(batch, 1) : dy),
    };
  });
  return loss(logits);
}

function checkShapes(logits: tf.Tensor, labels: tf.Tensor): boolean {
  if (logits.rank !== 2 || logits.dtype !== "float32") {
    throw new TypeError(
      `crossEntropy needs float32 logits of shape [batch, classes], but got ${logits.dtype} of shape [${logits.shape}]`,
    );
  }
  const [batch, classes] = logits.shape;
  if (labels.rank === 1 && labels.shape[0] === batch) {
    if (labels.dtype === "int32") return true;
    throw new TypeError(
      `crossEntropy needs class ids of dtype int32, but got ${labels.dtype}: make them with tf.tensor1d(ids, "int32"), or cast with toInt()`,
    );
  }
  if (labels.rank === 2 && labels.shape[0] === batch && labels.shape[1] === classes) return false;
  throw new RangeError(
    `crossEntropy got logits of shape [${logits.shape}] and labels of shape [${labels.shape}]: labels must be class ids of shape ` +
      `[${batch}] or probabilities of shape [${batch},${classes}]`,
  );
}

function checkWeights(
  weights: CrossEntropyOptions["classWeights"],
  classes: number,
): tf.Tensor | readonly number[] | undefined {
  const length = weights instanceof tf.Tensor ? weights.size : weights?.length;
  if (weights === undefined || length === classes) return weights;
  throw new RangeError(`\`classWeights\` must have one weight for each of the ${classes} classes, but has ${length}`);
}
