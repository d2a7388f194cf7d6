import type { Recording } from "./recording.ts";

/** What XLA compiles for the processor to code that is slower than TensorFlow's own kernels. */
const SLOW_BY_XLA = /^(DepthwiseConv|Conv|MaxPool|AvgPool|LRN)/;

/**
 * The mode that is usually the faster one, by the ops alone: the same in every run, where measuring would decide now so and now so. Measured
 * in bench/step.ts: XLA fuses what lies between matrix products, but its convolutions take several times as long.
 */
export function usualMode({ ops }: Recording): "graph" | "xla" {
  return ops.some(({ name }) => SLOW_BY_XLA.test(name)) ? "graph" : "xla";
}
