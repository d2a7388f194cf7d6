import { CurveMetric, type CurveOptions, type Ranked } from "./curve_metric.ts";
import type { Average } from "./task.ts";

/** The mean of the precisions at each threshold, weighted by how much recall grew there: the area under the precision-recall curve in steps. */
export class AveragePrecision<A extends Average = "macro"> extends CurveMetric<A> {
  constructor(options: CurveOptions<A>) {
    super("AveragePrecision", options);
  }

  protected override area({ tp, fp, positives }: Ranked): number {
    let area = 0;
    for (let k = 0; k < tp.length; k++) area += (tp[k] - (tp[k - 1] ?? 0)) * tp[k] / (tp[k] + fp[k]);
    return area / positives;
  }
}
