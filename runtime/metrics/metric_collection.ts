import type { StateDict, Stateful } from "../tensor/state.ts";
import type { GatherStates, Metric } from "./metric.ts";
import type { MetricState } from "./metric_state.ts";

/** Metrics by name. */
// deno-lint-ignore no-explicit-any -- metrics of every value
type Members = Record<string, Metric<any> & { update(...args: any[]): void }>;

/** The value of each member. */
export type CollectionValues<M extends Members> = { [K in keyof M]: M[K] extends Metric<infer V> ? V : never };

/**
 * Several metrics that are updated with the same arguments.
 *
 * @example
 * ```ts ignore
 * import { MaxMetric, MeanMetric, tf } from "weft";
 * await tf.setBackend("cpu");
 * const errors = new MetricCollection({ mean: new MeanMetric(), worst: new MaxMetric() });
 * errors.update(tf.tensor1d([1, 2, 6]));
 * console.assert((await errors.compute()).worst === 6);
 * errors.reset();
 * ```
 */
export class MetricCollection<M extends Members> implements Stateful {
  readonly metrics: Readonly<M>;

  /** @throws {TypeError} if there is none */
  constructor(metrics: M) {
    if (Object.keys(metrics).length === 0) throw new TypeError("MetricCollection needs at least one metric, by name");
    this.metrics = Object.freeze({ ...metrics });
  }

  update(...args: Parameters<M[keyof M]["update"]>): void {
    for (const metric of Object.values(this.metrics)) metric.update(...args);
  }

  /** All values, by name. */
  async compute(): Promise<CollectionValues<M>> {
    const entries = Object.entries(this.metrics).map(async ([name, metric]) => [name, await metric.compute()]);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** All values over what all ranks have seen, in one exchange. A collective: every rank must call it. */
  async syncWith(gather: GatherStates): Promise<CollectionValues<M>> {
    return this.fromStates(await gather(await this.state()));
  }

  /** The values of the states of several ranks. */
  fromStates(states: readonly MetricState[]): CollectionValues<M> {
    return Object.fromEntries(
      Object.entries(this.metrics).map(([name, metric]) => [name, metric.fromStates(states.map((s) => part(s, name)))]),
    ) as CollectionValues<M>;
  }

  /** The states of all members in one, their names in front. */
  async state(): Promise<MetricState> {
    const state: MetricState = {};
    for (const [name, metric] of Object.entries(this.metrics)) {
      for (const [key, entry] of Object.entries(await metric.state() as MetricState)) state[`${name}/${key}`] = entry;
    }
    return state;
  }

  /** Adds what another collection with the same members has collected. */
  merge(state: MetricState): void {
    for (const [name, metric] of Object.entries(this.metrics)) metric.merge(part(state, name));
  }

  reset(): void {
    for (const metric of Object.values(this.metrics)) metric.reset();
  }

  stateDict(): StateDict {
    return Object.fromEntries(Object.entries(this.metrics).map(([name, metric]) => [name, metric.stateDict()]));
  }

  loadStateDict(state: StateDict): void {
    for (const [name, metric] of Object.entries(this.metrics)) {
      if (!state[name]) throw new TypeError(`the collection's state has no \`${name}\``);
      metric.loadStateDict(state[name] as StateDict);
    }
  }
}

function part(state: MetricState, name: string): MetricState {
  const prefix = `${name}/`;
  return Object.fromEntries(
    Object.entries(state).filter(([key]) => key.startsWith(prefix)).map((
      [key, entry],
    ) => [key.slice(prefix.length), entry]),
  );
}
