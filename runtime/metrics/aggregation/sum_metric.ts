import type { tf } from "../../tensor/tf.ts";
import { Metric, type Totals } from "../metric.ts";
import { values } from "./values.ts";

/** The sum of numbers, made in float64. 0 when there were none. */
export class SumMetric extends Metric<number> {
  constructor() {
    super({ sum: { reduce: "sum" } });
  }

  /** @param value a number, or a tensor of any shape */
  update(value: number | tf.Tensor): void {
    this.add(() => ({ sum: values(value, "SumMetric").sum() }));
  }

  override fromTotals({ sum }: Totals): number {
    return sum[0];
  }
}
