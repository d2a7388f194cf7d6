import type { tf } from "../../tensor/tf.ts";
import { Metric, type Totals } from "../metric.ts";
import { values } from "./values.ts";

/** The smallest of numbers. Infinity when there were none. */
export class MinMetric extends Metric<number> {
  constructor() {
    super({ min: { reduce: "min" } });
  }

  /** @param value a number, or a tensor of any shape */
  update(value: number | tf.Tensor): void {
    this.add(() => ({ min: values(value, "MinMetric").min() }));
  }

  override fromTotals({ min }: Totals): number {
    return min[0];
  }
}
