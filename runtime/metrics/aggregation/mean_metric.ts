import { tf } from "../../tensor/tf.ts";
import { Metric, type Totals } from "../metric.ts";
import { values } from "./values.ts";

/**
 * The mean of numbers, each with a weight: of batch losses weighted by batch size, for example. NaN when there were none. Sums are made in
 * float64.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const loss = new MeanMetric();
 * loss.update(0.5, 100);
 * loss.update(0.25, 300);
 * console.assert(await loss.compute() === 0.3125);
 * loss.reset();
 * ```
 */
export class MeanMetric extends Metric<number> {
  constructor() {
    super({ sums: { reduce: "sum", shape: [2] } });
  }

  /**
   * @param value a number, or a tensor of any shape
   * @param weight of each value, or one for all. Default: 1
   */
  update(value: number | tf.Tensor, weight: number | tf.Tensor = 1): void {
    this.add(() => {
      const x = values(value, "MeanMetric");
      const w = values(weight, "MeanMetric");
      if (w.size !== 1 && w.size !== x.size) {
        throw new RangeError(`MeanMetric: ${x.size} values need as many weights or one, but got ${w.size}`);
      }
      const weights = w.size === x.size ? w.reshape(x.shape) : tf.fill(x.shape, 1).mul(w.reshape([]));
      return { sums: tf.stack([x.mul(weights).sum(), weights.sum()]) };
    });
  }

  override fromTotals({ sums }: Totals): number {
    return sums[0] / sums[1];
  }
}
