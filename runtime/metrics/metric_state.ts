import type { HostTensor } from "../tensor/host_tensor.ts";

/** How the states of several ranks become one. */
export type Reduction = "sum" | "min" | "max" | "cat";

/** One accumulator of a metric, in the process's own memory. */
export interface MetricStateEntry {
  readonly reduce: Reduction;
  /** float64; one-dimensional for `cat`. */
  readonly value: HostTensor;
}

/** A metric's accumulators by name: plain data, which can be sent to other ranks. */
export type MetricState = Record<string, MetricStateEntry>;

/** What a metric says about one of its accumulators. */
export interface AccumulatorOptions {
  reduce: Reduction;
  /** The shape of `sum`, `min` and `max`. Default: a scalar. */
  shape?: readonly number[];
}

/** An accumulator that nothing was added to. */
export function emptyEntry({ reduce, shape = [] }: AccumulatorOptions): MetricStateEntry {
  const size = reduce === "cat" ? 0 : shape.reduce((a, b) => a * b, 1);
  const data = new Float64Array(size).fill(reduce === "min" ? Infinity : reduce === "max" ? -Infinity : 0);
  return { reduce, value: { dtype: "float64", shape: reduce === "cat" ? [0] : shape, data } };
}

/**
 * Two accumulators as one. Sums are made in float64.
 * @throws {RangeError} if they are not of one kind and shape
 */
export function mergeEntries(a: MetricStateEntry, b: MetricStateEntry, name: string): MetricStateEntry {
  const [x, y] = [a.value.data as Float64Array, b.value.data as Float64Array];
  if (a.reduce !== b.reduce || (a.reduce !== "cat" && x.length !== y.length)) {
    throw new RangeError(
      `metric states differ: \`${name}\` is ${a.reduce} of [${a.value.shape}] here and ${b.reduce} of [${b.value.shape}] there; ` +
        "merge states of metrics with the same options",
    );
  }
  let data: Float64Array;
  if (a.reduce === "cat") {
    data = new Float64Array(x.length + y.length);
    data.set(x);
    data.set(y, x.length);
  } else if (a.reduce === "sum") data = x.map((value, i) => value + y[i]);
  else data = x.map((value, i) => Math[a.reduce as "min" | "max"](value, y[i]));
  const shape = a.reduce === "cat" ? [data.length] : a.value.shape;
  return { reduce: a.reduce, value: { dtype: "float64", shape, data } };
}

/** The states of several ranks, in their order, as one. @throws {RangeError} if they do not fit, or there is none */
export function mergeStates(states: readonly MetricState[]): MetricState {
  if (states.length === 0) throw new RangeError("there is no metric state to merge");
  return states.reduce((merged, state) => {
    const names = Object.keys(merged);
    const odd = Object.keys(state).find((name) => !(name in merged)) ?? names.find((name) => !(name in state));
    if (odd !== undefined) throw new RangeError(`metric states differ: \`${odd}\` is in some of them only`);
    return Object.fromEntries(names.map((name) => [name, mergeEntries(merged[name], state[name], name)]));
  });
}
