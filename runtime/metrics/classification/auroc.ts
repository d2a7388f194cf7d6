import { CurveMetric, type CurveOptions, type Ranked } from "./curve_metric.ts";
import type { Average } from "./task.ts";

/**
 * The area under the ROC curve: how probable it is that a positive sample scores higher than a negative one. 0 where there are no positive or
 * no negative samples, as in torchmetrics.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const auroc = new AUROC({ task: "binary" });
 * auroc.update(tf.tensor1d([0.1, 0.4, 0.35, 0.8]), tf.tensor1d([0, 0, 1, 1], "int32"));
 * console.assert(await auroc.compute() === 0.75);
 * auroc.reset();
 * ```
 */
export class AUROC<A extends Average = "macro"> extends CurveMetric<A> {
  constructor(options: CurveOptions<A>) {
    super("AUROC", options);
  }

  protected override area({ tp, fp, positives, negatives }: Ranked): number {
    if (positives === 0 || negatives === 0) return 0;
    let area = 0;
    for (let k = 0; k < tp.length; k++) {
      area += (fp[k] - (fp[k - 1] ?? 0)) * (tp[k] + (tp[k - 1] ?? 0)) / 2;
    }
    return area / positives / negatives;
  }
}
