import { ExactSum } from "./exact_sum.ts";
import type { LogOptions, ReduceFx } from "./log_options.ts";
import type { MetricLike } from "./loggable.ts";
import { release } from "../../tensor/scope.ts";
import type { StateDict } from "../../tensor/state.ts";
import { tf } from "../../tensor/tf.ts";

/** {@linkcode LogOptions} with the defaults of the hook filled in. */
export type ResolvedLogOptions = Readonly<
  Required<Omit<LogOptions, "batchSize" | "syncDist">> & { syncStep: boolean; syncEpoch: boolean }
>;

/** What one rank knows of a metric at the end of an epoch, as it travels. */
export interface MetricShare extends Record<string, unknown> {
  name: string;
  hook: string;
  dataloaderIdx: number | null;
  options: ResolvedLogOptions;
  terms: number[];
  weight: number;
  min: number;
  max: number;
  /** State of a metric object. */
  state: unknown;
}

/** One name logged in one hook: the values that are still on the device, and what the others add up to. */
export class LoggedMetric {
  readonly name: string;
  readonly hook: string;
  readonly dataloaderIdx: number | undefined;
  readonly options: ResolvedLogOptions;
  /** The object, if that is what is logged. */
  metric: MetricLike | undefined;
  /** The newest value that was read. */
  last: number | undefined;
  /** `last` changed since callbacks were last told. */
  isNew = false;
  /** A value came since the loggers were last given one. */
  isFresh = false;
  /** Values that were not read yet. Their tensors are held. */
  readonly pending: { value: tf.Tensor | number; weight: number }[] = [];
  readonly #sum = new ExactSum();
  #weight = 0;
  #min = Infinity;
  #max = -Infinity;

  constructor(
    identity: { name: string; hook: string; dataloaderIdx: number | undefined },
    options: ResolvedLogOptions,
  ) {
    this.name = identity.name;
    this.hook = identity.hook;
    this.dataloaderIdx = identity.dataloaderIdx;
    this.options = options;
  }

  /** Takes a value; a tensor must be held by the caller. */
  push(value: tf.Tensor | number, weight: number): void {
    this.isFresh = true;
    // Of what only steps are logged for, none but the newest is ever looked at.
    if (!this.options.onEpoch) this.dropPending();
    this.pending.push({ value, weight });
  }

  /** Takes the values in that were read for `pending`. */
  fold(values: readonly number[]): void {
    for (const [index, { weight }] of this.pending.entries()) this.#accumulate(values[index], weight);
    this.dropPending();
  }

  dropPending(): void {
    for (const { value } of this.pending) if (value instanceof tf.Tensor) release(value);
    this.pending.length = 0;
  }

  #accumulate(value: number, weight: number): void {
    this.last = value;
    this.isNew = true;
    if (!this.options.onEpoch) return;
    this.#sum.add(this.options.reduceFx === "mean" ? value * weight : value);
    this.#weight += weight;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
  }

  /** What travels to the other ranks. Everything pending must have been read. */
  share(state: unknown): MetricShare {
    const { name, hook, options } = this;
    return {
      name,
      hook,
      dataloaderIdx: this.dataloaderIdx ?? null,
      options,
      terms: this.#sum.terms,
      weight: this.#weight,
      min: this.#min,
      max: this.#max,
      state: state ?? null,
    };
  }

  /** The name with its suffixes: `_step` and `_epoch` where both are logged, and the loader's number. */
  label(kind: "step" | "epoch" | "plain", addLoader: boolean): string {
    const forked = kind !== "plain" && this.options.onStep && this.options.onEpoch;
    const suffix = addLoader && this.dataloaderIdx !== undefined && this.options.addDataloaderIdx
      ? `/dataloader_idx_${this.dataloaderIdx}`
      : "";
    return this.name + (forked ? `_${kind}` : "") + suffix;
  }

  /** For a checkpoint in the middle of an epoch. */
  stateDict(): StateDict {
    return {
      ...this.share(null) as unknown as StateDict,
      last: this.last ?? null,
      isFresh: this.isFresh,
      isNew: this.isNew,
    };
  }

  loadStateDict(state: StateDict): void {
    this.#sum.addAll(state.terms as number[]);
    this.#weight = state.weight as number;
    this.#min = state.min as number;
    this.#max = state.max as number;
    this.last = state.last === null ? undefined : state.last as number;
    this.isFresh = state.isFresh as boolean;
    // Checkpoints of earlier versions do not say.
    this.isNew = state.isNew === true;
  }
}

/** What the shares of all ranks come to. */
export function reduceShares(shares: readonly MetricShare[], reduceFx: ReduceFx): number {
  if (reduceFx === "min") return Math.min(...shares.map(({ min }) => min));
  if (reduceFx === "max") return Math.max(...shares.map(({ max }) => max));
  const sum = new ExactSum();
  let weight = 0;
  for (const share of shares) {
    sum.addAll(share.terms);
    weight += share.weight;
  }
  return reduceFx === "sum" ? sum.value : sum.value / weight;
}
