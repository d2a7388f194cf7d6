import { rejectUnknownOptions } from "../../core/suggest.ts";
import { tf } from "../../tensor/tf.ts";
import { Metric, type Totals } from "../metric.ts";
import { keptPlaces } from "./inputs.ts";

/** Options of {@linkcode Perplexity}. */
export interface PerplexityOptions {
  /** Places with this target do not count. Default: all count. */
  ignoreIndex?: number;
}

/** exp of the mean negative log-likelihood of the right tokens. NaN without an update. */
export class Perplexity extends Metric<number> {
  readonly #ignoreIndex: number | undefined;

  constructor(options: PerplexityOptions = {}) {
    rejectUnknownOptions("Perplexity", options, ["ignoreIndex"]);
    super({ sums: { reduce: "sum", shape: [2] } });
    this.#ignoreIndex = options.ignoreIndex;
  }

  /**
   * @param preds logits [batch, length, vocabulary]
   * @param target tokens [batch, length], int32
   */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    if (preds.rank !== target.rank + 1 || preds.shape.slice(0, -1).join() !== target.shape.join()) {
      throw new RangeError(
        `Perplexity takes logits [batch, length, vocabulary] and tokens [batch, length], but got [${preds.shape}] and [${target.shape}]`,
      );
    }
    this.add(() => {
      const vocabulary = preds.shape.at(-1)!;
      const tokens = target.toInt().reshape([-1]);
      const kept = keptPlaces(tokens, this.#ignoreIndex);
      const known = tf.where(kept, tokens, tf.zerosLike(tokens));
      const logProbabilities = tf.logSoftmax(preds.toFloat().reshape([-1, vocabulary]) as tf.Tensor2D);
      // Chosen by where, not by a product: impossible tokens have -Infinity, which times zero is NaN.
      const chosen = tf.logicalAnd(tf.oneHot(known as tf.Tensor1D, vocabulary).toBool(), kept.expandDims(1));
      const loss = tf.where(chosen, logProbabilities, tf.zerosLike(logProbabilities)).sum().neg();
      return { sums: tf.stack([loss, kept.toFloat().sum()]) };
    });
  }

  override fromTotals({ sums }: Totals): number {
    return Math.exp(sums[0] / sums[1]);
  }
}
