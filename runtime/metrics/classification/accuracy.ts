import { safeDivide } from "../checks.ts";
import { type Counts, StatScores } from "./stat_scores.ts";
import type { Average, AveragedOptions } from "./task.ts";

/** Options of {@linkcode Accuracy}. */
export type AccuracyOptions<A extends Average = Average> = AveragedOptions<A>;

/**
 * The part of predictions that are right.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const accuracy = new Accuracy({ task: "multiclass", numClasses: 3 });
 * accuracy.update(tf.tensor2d([[0.9, 0.1, 0], [0.2, 0.3, 0.5]]), tf.tensor1d([0, 1], "int32"));
 * accuracy.update(tf.tensor1d([2, 2], "int32"), tf.tensor1d([2, 2], "int32"));
 * console.assert(await accuracy.compute() === 0.75);
 * accuracy.reset();
 * ```
 */
export class Accuracy<A extends Average = "micro"> extends StatScores<A> {
  constructor(options: AccuracyOptions<A>) {
    super("Accuracy", options);
  }

  protected override score({ tp, fp, tn, fn }: Counts): number {
    // For one class of several it is its recall: how many of its samples were found.
    return this.task.task === "multiclass" ? safeDivide(tp, tp + fn) : safeDivide(tp + tn, tp + fp + tn + fn);
  }
}
