import type { MetricState } from "../../metrics/metric_state.ts";
import type { StateDict } from "../../tensor/state.ts";
import type { tf } from "../../tensor/tf.ts";

/** What the Trainer needs of a metric object (`runtime/metrics`). */
export interface MetricLike {
  /** What was collected, as plain data that can be sent to other ranks. */
  state(): Promise<MetricState>;
  /** The value of what all ranks collected: a number, several, or a record of them. */
  fromStates(states: readonly MetricState[]): unknown;
  reset(): void;
  stateDict(): StateDict;
  loadStateDict(state: StateDict): void;
}

/** What can be logged: a number, a tensor with one element, or a metric object. */
export type Loggable = number | boolean | tf.Tensor | MetricLike;

/** True for metric objects. */
export function isMetric(value: unknown): value is MetricLike {
  if (typeof value !== "object" || value === null) return false;
  const candidate = value as Partial<MetricLike>;
  return typeof candidate.state === "function" && typeof candidate.fromStates === "function" &&
    typeof candidate.reset === "function";
}
