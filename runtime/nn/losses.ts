import { rejectUnknownOptions } from "../core/suggest.ts";
import { tf } from "../tensor/tf.ts";
import { checkReduction, reduce, type Reduction, type SaveForGradient } from "./reduction.ts";

/** Options of the losses. */
export interface LossOptions {
  /** `"none"` gives the loss of every value. Default: `"mean"`. */
  reduction?: Reduction;
}

/** The squared difference of two tensors of the same shape. @throws RangeError if the shapes differ: they are not broadcast */
export function mseLoss(predictions: tf.Tensor, targets: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  const reduction = check("mseLoss", predictions, targets, options);
  return tf.tidy(() => reduce(tf.squaredDifference(predictions, targets), reduction));
}

/** The absolute difference of two tensors of the same shape. @throws RangeError if the shapes differ: they are not broadcast */
export function l1Loss(predictions: tf.Tensor, targets: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  const reduction = check("l1Loss", predictions, targets, options);
  return tf.tidy(() => reduce(tf.abs(tf.sub(predictions, targets)), reduction));
}

/**
 * The cross entropy between the sigmoid of `logits` and targets from 0 to 1 of the same shape, stable for logits of any size.
 * @throws RangeError if the shapes differ: they are not broadcast
 */
export function binaryCrossEntropyWithLogits(
  logits: tf.Tensor,
  targets: tf.Tensor,
  options: LossOptions = {},
): tf.Tensor {
  const reduction = check("binaryCrossEntropyWithLogits", logits, targets, options);
  const losses = tf.customGrad((...inputs: (tf.Tensor | SaveForGradient)[]) => {
    const [x, save] = inputs as [tf.Tensor, SaveForGradient];
    const y = targets.toFloat();
    save([tf.sub(tf.sigmoid(x), y)]);
    // max(x, 0) − x·y + log(1 + e^−|x|)
    const value = tf.add(tf.sub(tf.relu(x), tf.mul(x, y)), tf.log1p(tf.exp(tf.neg(tf.abs(x)))));
    return { value, gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, saved) };
  });
  return tf.tidy(() => reduce(losses(logits), reduction));
}

/**
 * Minus the log probability of each sample's class.
 *
 * @param logProbabilities shape [batch, classes], e.g. from tf.logSoftmax
 * @param labels class ids, int32 of shape [batch]
 * @throws RangeError if the shapes do not fit
 */
export function nllLoss(logProbabilities: tf.Tensor, labels: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  rejectUnknownOptions("nllLoss", options, ["reduction"]);
  const reduction = checkReduction(options.reduction ?? "mean");
  const [batch, classes] = logProbabilities.shape;
  if (logProbabilities.rank !== 2 || labels.rank !== 1 || labels.shape[0] !== batch) {
    throw new RangeError(
      `nllLoss needs log probabilities of shape [batch, classes] and class ids of shape [batch], but got [${logProbabilities.shape}] and ` +
        `[${labels.shape}]`,
    );
  }
  return tf.tidy(() => {
    const picked = tf.sum(tf.mul(tf.oneHot(labels.toInt() as tf.Tensor1D, classes), logProbabilities), 1);
    return reduce(tf.neg(picked), reduction);
  });
}

function check(name: string, predictions: tf.Tensor, targets: tf.Tensor, options: LossOptions): Reduction {
  rejectUnknownOptions(name, options, ["reduction"]);
  if (!tf.util.arraysEqual(predictions.shape, targets.shape)) {
    throw new RangeError(
      `${name} needs two tensors of the same shape, but got [${predictions.shape}] and [${targets.shape}]`,
    );
  }
  return checkReduction(options.reduction ?? "mean");
}
