import type { tf } from "../../tensor/tf.ts";
import { sameShape } from "../checks.ts";
import { Metric, type Totals } from "../metric.ts";
import { errorSums } from "./error_sums.ts";

/** The mean of |preds - target|. NaN without an update. */
export class MeanAbsoluteError extends Metric<number> {
  constructor() {
    super({ sums: { reduce: "sum", shape: [2] } });
  }

  /** Both of one shape. @throws {RangeError} if not */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    sameShape("MeanAbsoluteError", preds, target);
    this.add(() => ({ sums: errorSums(preds.toFloat().sub(target.toFloat()).abs()) }));
  }

  override fromTotals({ sums }: Totals): number {
    return sums[0] / sums[1];
  }
}
