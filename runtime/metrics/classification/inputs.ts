import { tf } from "../../tensor/tf.ts";
import type { ResolvedTask } from "./task.ts";

/** True where a target counts. */
export function keptPlaces(target: tf.Tensor, ignoreIndex: number | undefined): tf.Tensor {
  return ignoreIndex === undefined
    ? tf.fill(target.shape, 1).toBool()
    : tf.notEqual(target, tf.scalar(ignoreIndex, "int32"));
}

/** Which classes or labels are predicted and which are true, sample by sample, as zeros and ones. */
export interface Marks {
  /** [samples, K], float32. */
  predicted: tf.Tensor2D;
  actual: tf.Tensor2D;
  /** 1 where a place counts: [samples, K], or [samples, 1] for all classes alike. */
  kept: tf.Tensor2D;
  /** How many predictions or targets that count name no class: int32 scalar. */
  misfits: tf.Tensor;
}

/** Scores as probabilities: through a sigmoid if any lies outside 0 to 1, as in torchmetrics. */
export function probabilities(scores: tf.Tensor, activation: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  const outside = tf.logicalOr(scores.less(0), scores.greater(1)).any();
  return tf.where(outside, activation(scores), scores);
}

/** Checks shapes and types and marks predicted and true classes. Runs in a tidy. */
export function mark(owner: string, preds: tf.Tensor, target: tf.Tensor, task: ResolvedTask): Marks {
  checkShapes(owner, preds, target, task);
  const truth = target.toInt();
  const kept = keptPlaces(truth, task.ignoreIndex);
  if (task.task === "multiclass") return markClasses(preds, truth, kept, task);
  const columns = task.task === "multilabel" ? task.size : 1;
  const shape: [number, number] = [-1, columns];
  const chosen = preds.dtype === "float32"
    ? probabilities(preds, tf.sigmoid).greater(task.threshold).toFloat()
    : preds.toFloat();
  const isBit = (x: tf.Tensor) => tf.logicalOr(x.equal(0), x.equal(1));
  const fits = tf.logicalAnd(isBit(truth), isBit(chosen));
  return {
    predicted: chosen.reshape(shape) as tf.Tensor2D,
    actual: truth.toFloat().reshape(shape) as tf.Tensor2D,
    kept: kept.toFloat().reshape(shape) as tf.Tensor2D,
    misfits: tf.logicalAnd(kept, fits.logicalNot()).toInt().sum(),
  };
}

function markClasses(preds: tf.Tensor, truth: tf.Tensor, kept: tf.Tensor, task: ResolvedTask): Marks {
  const { size, topK } = task;
  const flatTruth = truth.reshape([-1]), flatKept = kept.reshape([-1]);
  const inRange = (x: tf.Tensor) => tf.logicalAnd(x.greaterEqual(0), x.less(size));
  const zeros = tf.zerosLike(flatTruth);
  const actual = tf.oneHot(tf.where(inRange(flatTruth), flatTruth, zeros) as tf.Tensor1D, size)
    .toFloat() as tf.Tensor2D;
  let predictedClass: tf.Tensor;
  if (preds.rank === truth.rank) predictedClass = preds.toInt().reshape([-1]);
  else {
    const scores = preds.reshape([-1, size]);
    predictedClass = scores.argMax(1).toInt();
    if (topK > 1) predictedClass = tf.where(amongTop(scores, actual, topK), flatTruth, predictedClass);
  }
  const fits = tf.logicalAnd(inRange(flatTruth), inRange(predictedClass));
  const safe = tf.where(inRange(predictedClass), predictedClass, zeros);
  return {
    predicted: tf.oneHot(safe as tf.Tensor1D, size).toFloat() as tf.Tensor2D,
    actual,
    kept: flatKept.toFloat().reshape([-1, 1]),
    misfits: tf.logicalAnd(flatKept, fits.logicalNot()).toInt().sum(),
  };
}

/** True where the true class is among the k with the highest scores; of equal scores the earlier class comes first. */
function amongTop(scores: tf.Tensor, actual: tf.Tensor2D, k: number): tf.Tensor {
  const isTrue = actual.toBool();
  const own = tf.where(isTrue, scores, tf.fill(scores.shape, -Infinity)).max(1, true);
  const size = scores.shape[1]!;
  const column = tf.range(0, size).reshape([1, size]);
  const ownColumn = actual.mul(column).sum(1, true);
  const before = tf.logicalOr(
    scores.greater(own),
    tf.logicalAnd(scores.equal(own), column.less(ownColumn)),
  );
  return before.toInt().sum(1).less(k);
}

/** @throws {TypeError | RangeError} if predictions and targets do not fit each other and the task */
export function checkShapes(owner: string, preds: tf.Tensor, target: tf.Tensor, task: ResolvedTask): void {
  for (const [name, tensor] of [["preds", preds], ["target", target]] as const) {
    if (!(tensor instanceof tf.Tensor)) {
      throw new TypeError(`${owner}: \`${name}\` must be a tensor, but got ${typeof tensor}`);
    }
  }
  const shapes = `preds of [${preds.shape}] and target of [${target.shape}]`;
  if (task.task === "multiclass") {
    if (preds.rank === target.rank + 1) {
      const fits = preds.shape.at(-1) === task.size && preds.shape.slice(0, -1).join() === target.shape.join();
      if (fits) return;
    } else if (preds.rank === target.rank && preds.dtype !== "float32" && task.topK === 1) {
      if (preds.shape.join() === target.shape.join()) return;
    }
    throw new RangeError(
      `${owner} with ${task.size} classes takes scores [samples, …, ${task.size}], or classes as int32, for targets [samples, …], ` +
        `but got ${preds.dtype} ${shapes}`,
    );
  }
  if (preds.shape.join() !== target.shape.join()) {
    throw new RangeError(`${owner}: preds and target must have the same shape, but got ${shapes}`);
  }
  if (task.task === "multilabel" && preds.shape.at(-1) !== task.size) {
    throw new RangeError(`${owner} with ${task.size} labels takes [samples, …, ${task.size}], but got ${shapes}`);
  }
}

/** @throws {RangeError} if predictions or targets named no class */
export function rejectMisfits(owner: string, count: number, task: ResolvedTask): void {
  if (count === 0) return;
  const range = task.task === "multiclass" ? `0 to ${task.size - 1}` : "0 and 1";
  throw new RangeError(
    `${owner}: ${count} of the predictions or targets lie outside ${range}` +
      (task.ignoreIndex === undefined ? "; `ignoreIndex` leaves one value out" : ""),
  );
}
