import type { tf } from "../../tensor/tf.ts";
import { Metric, type Totals } from "../metric.ts";
import { values } from "./values.ts";

/** The largest of numbers. -Infinity when there were none. */
export class MaxMetric extends Metric<number> {
  constructor() {
    super({ max: { reduce: "max" } });
  }

  /** @param value a number, or a tensor of any shape */
  update(value: number | tf.Tensor): void {
    this.add(() => ({ max: values(value, "MaxMetric").max() }));
  }

  override fromTotals({ max }: Totals): number {
    return max[0];
  }
}
