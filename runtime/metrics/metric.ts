import type { StateDict, Stateful } from "../tensor/state.ts";
import { type StepReceiver, stepRecorder } from "../tensor/step_recording.ts";
import { noGrad } from "../tensor/tape.ts";
import { tf } from "../tensor/tf.ts";
import { mapTensors } from "../tensor/tree.ts";
import { Accumulator } from "./accumulator.ts";
import { type AccumulatorOptions, mergeStates, type MetricState } from "./metric_state.ts";

/** Sends this rank's state to all and gives those of all ranks, in their order. */
export type GatherStates = (state: MetricState) => Promise<MetricState[]>;

/** The accumulators of one metric, read: by name, as arrays. */
export type Totals = Readonly<Record<string, Float64Array>>;

/**
 * A number about predictions that is collected batch by batch, the same however the samples are divided among batches and ranks.
 *
 * `update` leaves its sums on the device: nothing is read back until `compute`. A metric of one's own declares its accumulators, adds to
 * them in `update`, and makes the value of them in `fromTotals`.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * class Longest extends Metric<number> {
 *   constructor() {
 *     super({ longest: { reduce: "max" } });
 *   }
 *   update(words: string[]) {
 *     this.add(() => ({ longest: tf.scalar(Math.max(...words.map((word) => word.length)), "int32") }));
 *   }
 *   override fromTotals({ longest }: Totals) {
 *     return longest[0];
 *   }
 * }
 * const metric = new Longest();
 * metric.update(["a", "long", "word"]);
 * console.assert(await metric.compute() === 4);
 * metric.reset();
 * ```
 */
export abstract class Metric<V = number> implements Stateful, StepReceiver {
  readonly #accumulators: Readonly<Record<string, Accumulator>>;
  #updates = 0;

  constructor(accumulators: Record<string, AccumulatorOptions>) {
    this.#accumulators = Object.fromEntries(
      Object.entries(accumulators).map(([name, options]) => [name, new Accumulator(options)]),
    );
  }

  /** The value of what was collected. Pure: no state is read or changed. */
  abstract fromTotals(totals: Totals): V;

  /** How often this rank's metric was updated since it was made or reset. */
  get updates(): number {
    return this.#updates;
  }

  /** Adds tensors to accumulators. `make` runs in a tidy, and no gradient is recorded. */
  protected add(make: () => Record<string, tf.Tensor>): void {
    const recorder = stepRecorder();
    if (recorder) {
      // A compiled step computes what is to be added; it is added when the step is over.
      const made = noGrad(() => tf.tidy(() => mapTensors(make(), (tensor) => tensor.clone())));
      return recorder.outcome(this, made);
    }
    noGrad(() => tf.tidy(() => this.#accumulate(make())));
  }

  /** Called by a compiled step. */
  receiveOutcome(tensors: Readonly<Record<string, tf.Tensor>>): void {
    noGrad(() => tf.tidy(() => this.#accumulate(tensors)));
    tf.dispose(tensors as Record<string, tf.Tensor>);
  }

  #accumulate(tensors: Readonly<Record<string, tf.Tensor>>): void {
    for (const [name, tensor] of Object.entries(tensors)) this.#accumulators[name].add(tensor);
    this.#updates++;
  }

  /**
   * The value over all that this rank has seen. Reads the device once; the metric goes on collecting.
   * @throws {Error} if there was no update, where the metric has no value without one
   */
  async compute(): Promise<V> {
    return this.fromStates([await this.state()]);
  }

  /**
   * The value over what all ranks have seen. A collective: every rank must call it.
   * @param gather e.g. `(state) => fabric.allGatherObjects(state)`
   */
  async syncWith(gather: GatherStates): Promise<V> {
    return this.fromStates(await gather(await this.state()));
  }

  /** The value of the states of several ranks. Pure, so that many metrics can share one message between the ranks. */
  fromStates(states: readonly MetricState[]): V {
    const merged = mergeStates(states);
    return this.fromTotals(
      Object.fromEntries(Object.entries(merged).map(([name, { value }]) => [name, value.data as Float64Array])),
    );
  }

  /** What was collected so far, as plain data. Reads the device. */
  async state(): Promise<MetricState> {
    const names = Object.keys(this.#accumulators);
    const entries = await Promise.all(names.map((name) => this.#accumulators[name].read()));
    return Object.fromEntries(names.map((name, i) => [name, entries[i]]));
  }

  /** Adds what another metric with the same options has collected. @throws {RangeError} if it does not fit */
  merge(state: MetricState): void {
    for (const [name, accumulator] of Object.entries(this.#accumulators)) {
      if (!state[name]) throw new RangeError(`the state to merge has no \`${name}\``);
      accumulator.merge(state[name], name);
    }
    this.#updates++;
  }

  /** Forgets all updates and frees what they left on the device. */
  reset(): void {
    for (const accumulator of Object.values(this.#accumulators)) accumulator.reset();
    this.#updates = 0;
  }

  /** References to what was collected; nothing is read back. A metric in progress goes on from it to the same bits. */
  stateDict(): StateDict {
    return {
      updates: this.#updates,
      ...Object.fromEntries(
        Object.entries(this.#accumulators).map(([name, accumulator]) => [`acc_${name}`, accumulator.stateDict()]),
      ),
    };
  }

  loadStateDict(state: StateDict): void {
    for (const [name, accumulator] of Object.entries(this.#accumulators)) {
      accumulator.loadStateDict(state[`acc_${name}`] ?? null, name);
    }
    this.#updates = Number(state.updates ?? 0);
  }
}
