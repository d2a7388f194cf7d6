import { rejectUnknownOptions } from "../../core/suggest.ts";
import { tf } from "../../tensor/tf.ts";
import { sameShape } from "../checks.ts";
import { Metric, type Totals } from "../metric.ts";

/** Options of {@linkcode R2Score}. */
export interface R2ScoreOptions {
  /** How many numbers each sample has, its last dimension. Default: 1, samples being numbers. */
  numOutputs?: number;
  /** What becomes of several outputs' scores: their mean, their mean weighted by variance, or all of them. Default: "uniform_average". */
  multioutput?: "uniform_average" | "variance_weighted" | "raw_values";
}

/**
 * The part of the target's variance that the predictions explain: 1 - RSS / TSS. 1 for a constant target that is met, 0 for one that is not.
 * Computed from float32 sums of squares, as in torchmetrics: a target with a mean far larger than its spread loses digits.
 */
export class R2Score extends Metric<number | number[]> {
  readonly #outputs: number;
  readonly #multioutput: NonNullable<R2ScoreOptions["multioutput"]>;

  constructor(options: R2ScoreOptions = {}) {
    rejectUnknownOptions("R2Score", options, ["numOutputs", "multioutput"]);
    const outputs = options.numOutputs ?? 1;
    if (!Number.isInteger(outputs) || outputs < 1) {
      throw new RangeError(`R2Score: \`numOutputs\` must be an integer from 1, but got ${outputs}`);
    }
    const multioutput = options.multioutput ?? "uniform_average";
    if (!["uniform_average", "variance_weighted", "raw_values"].includes(multioutput)) {
      throw new RangeError(
        `R2Score: \`multioutput\` must be "uniform_average", "variance_weighted" or "raw_values", but got "${multioutput}"`,
      );
    }
    super({ sums: { reduce: "sum", shape: [3, outputs] }, count: { reduce: "sum" } });
    this.#outputs = outputs;
    this.#multioutput = multioutput;
  }

  /** [samples] or [samples, outputs]. @throws {RangeError} if shapes differ or do not fit numOutputs */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    sameShape("R2Score", preds, target);
    const outputs = this.#outputs;
    if (preds.rank > 2 || (preds.shape[1] ?? 1) !== outputs) {
      throw new RangeError(`R2Score with ${outputs} outputs takes [samples, ${outputs}], but got [${preds.shape}]`);
    }
    this.add(() => {
      const t = target.toFloat().reshape([-1, outputs]);
      const residual = preds.toFloat().reshape([-1, outputs]).sub(t);
      return {
        sums: tf.stack([t.sum(0), t.square().sum(0), residual.square().sum(0)]),
        count: tf.scalar(t.shape[0], "int32"),
      };
    });
  }

  /** @throws {Error} if there were fewer than two samples */
  override fromTotals({ sums, count: [count] }: Totals): number | number[] {
    if (count < 2) throw new Error(`R2Score needs at least two samples, but got ${count}`);
    const k = this.#outputs;
    const tss = Array.from({ length: k }, (_, i) => sums[k + i] - sums[i] * sums[i] / count);
    const scores = tss.map((total, i) => {
      const rss = sums[2 * k + i];
      // torchmetrics' bound for "nearly constant".
      if (Math.abs(rss) <= 1e-4) return 1;
      return Math.abs(total) <= 1e-4 ? 0 : 1 - rss / total;
    });
    if (this.#multioutput === "raw_values") return scores;
    if (this.#multioutput === "uniform_average") return scores.reduce((a, b) => a + b, 0) / k;
    const whole = tss.reduce((a, b) => a + b, 0);
    return scores.reduce((sum, score, i) => sum + score * tss[i] / whole, 0);
  }
}
