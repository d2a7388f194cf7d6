import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { tf } from "../../tensor/tf.ts";
import { sameShape } from "../checks.ts";
import { Metric, type Totals } from "../metric.ts";
import { errorSums } from "./error_sums.ts";

/** Options of {@linkcode MeanSquaredError}. */
export interface MeanSquaredErrorOptions {
  /** False: the root of it (RMSE). Default: true. */
  squared?: boolean;
}

/** The mean of (preds - target)², or its root. NaN without an update. */
export class MeanSquaredError extends Metric<number> {
  readonly #squared: boolean;

  constructor(options: MeanSquaredErrorOptions = {}) {
    rejectUnknownOptions("MeanSquaredError", options, ["squared"]);
    super({ sums: { reduce: "sum", shape: [2] } });
    this.#squared = options.squared ?? true;
  }

  /** Both of one shape. @throws {RangeError} if not */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    sameShape("MeanSquaredError", preds, target);
    this.add(() => ({ sums: errorSums(preds.toFloat().sub(target.toFloat()).square()) }));
  }

  override fromTotals({ sums }: Totals): number {
    const mean = sums[0] / sums[1];
    return this.#squared ? mean : Math.sqrt(mean);
  }
}
