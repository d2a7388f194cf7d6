import { isHostTensor } from "../tensor/host_tensor.ts";
import type { StateTree } from "../tensor/state.ts";
import { tf } from "../tensor/tf.ts";
import { type AccumulatorOptions, emptyEntry, mergeEntries, type MetricStateEntry } from "./metric_state.ts";

/** After so many small tensors they are stacked into one, so that few have to be read. */
const STACK_AFTER = 128;

/**
 * Collects what updates add, on the device, until it is asked for. Integers are summed on the device, exactly; floats are kept apart and
 * summed in float64 as they are read, in the order they came.
 */
export class Accumulator {
  readonly #options: AccumulatorOptions;
  readonly #size: number;
  #base: MetricStateEntry;
  /** What is not read yet: rows of `#size` values, or for `cat` any values. Kept tensors that this owns. */
  #pending: tf.Tensor[] = [];
  #small = 0;
  #reading: Promise<unknown> = Promise.resolve();
  #generation = 0;

  constructor(options: AccumulatorOptions) {
    this.#options = options;
    this.#size = (options.shape ?? []).reduce((a, b) => a * b, 1);
    this.#base = emptyEntry(options);
  }

  /** Takes a tensor over. Call it within a tidy: what is kept is marked so. */
  add(tensor: tf.Tensor): void {
    const { reduce } = this.#options;
    const last = this.#pending.at(-1);
    if (last && reduce !== "cat" && (reduce !== "sum" || tensor.dtype === "int32")) {
      const op = reduce === "sum" ? tf.add : reduce === "min" ? tf.minimum : tf.maximum;
      this.#replaceLast(1, tf.keep(op(last, tensor.reshape(last.shape) as typeof last)));
      return;
    }
    this.#pending.push(tf.keep(tensor.reshape([-1]).clone()));
    if (reduce === "sum" && ++this.#small === STACK_AFTER) {
      this.#replaceLast(STACK_AFTER, tf.keep(tf.concat(this.#pending.slice(-STACK_AFTER))));
      this.#small = 0;
    }
  }

  /** Adds values that another one collected. */
  merge(entry: MetricStateEntry, name: string): void {
    this.#base = mergeEntries(this.#base, entry, name);
  }

  /** Reads what is on the device and gives everything so far. */
  read(): Promise<MetricStateEntry> {
    const read = this.#reading.then(async () => {
      const generation = this.#generation;
      const pending = [...this.#pending];
      // A running sum is replaced as updates come: clones stay readable.
      const copies = pending.map((tensor) => tf.keep(tensor.clone()));
      let values: ArrayLike<number>[];
      try {
        values = await Promise.all(copies.map((tensor) => tensor.data()));
      } finally {
        tf.dispose(copies);
      }
      if (generation !== this.#generation) return this.#base;
      const running = this.#pending.length > 0 && this.#pending[pending.length - 1] !== pending.at(-1);
      // If an update replaced the running sum meanwhile, what was read is in the new one too: give it, but keep that.
      const folded = values.reduce((entry, rows) => this.#fold(entry, rows), this.#base);
      if (!running) {
        this.#base = folded;
        tf.dispose(this.#pending.splice(0, pending.length));
        this.#small = Math.max(0, Math.min(this.#small, this.#pending.length));
      }
      return folded;
    });
    this.#reading = read.catch(() => {});
    return read;
  }

  /** Forgets everything. */
  reset(): void {
    this.#generation++;
    tf.dispose(this.#pending);
    this.#pending = [];
    this.#small = 0;
    this.#base = emptyEntry(this.#options);
  }

  /** References to what is collected, for a checkpoint. */
  stateDict(): StateTree {
    return { base: this.#base.value, pending: [...this.#pending] };
  }

  /** Takes over what `state` holds. @throws {TypeError} if it is no state of an accumulator, {RangeError} if the shape differs */
  loadStateDict(state: StateTree, name: string): void {
    const { base, pending } = (state ?? {}) as { base?: unknown; pending?: unknown };
    if (!isHostTensor(base) || !Array.isArray(pending)) {
      throw new TypeError(`the metric's state has no \`${name}\`, or one of another kind`);
    }
    this.reset();
    const { reduce } = this.#options;
    let entry = mergeEntries(this.#base, { reduce, value: base }, name);
    for (const part of pending) {
      const rows = isHostTensor(part) ? part.data as ArrayLike<number> : (part as tf.Tensor).dataSync();
      entry = this.#fold(entry, rows);
    }
    this.#base = entry;
  }

  #replaceLast(count: number, by: tf.Tensor): void {
    tf.dispose(this.#pending.splice(this.#pending.length - count, count, by));
  }

  /** Adds values row by row: the order of additions is that of the updates, however they were stacked. */
  #fold(entry: MetricStateEntry, values: ArrayLike<number>): MetricStateEntry {
    const { reduce } = this.#options;
    if (reduce === "cat") {
      const value = { dtype: "float64" as const, shape: [values.length], data: Float64Array.from(values) };
      return mergeEntries(entry, { reduce, value }, "");
    }
    const data = Float64Array.from(entry.value.data as Float64Array);
    for (let i = 0; i < values.length; i++) {
      const k = i % this.#size;
      if (reduce === "sum") data[k] += values[i];
      else data[k] = Math[reduce](data[k], values[i]);
    }
    return { reduce, value: { ...entry.value, data } };
  }
}
