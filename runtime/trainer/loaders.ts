import { fewWorkersHint } from "./few_workers.ts";
import type { Batches } from "./lightning_module.ts";
import type { BatchLimit } from "./trainer_options.ts";
import { checkNoneEmpty, cutTogether, lengthsOfRanks, sayCut, sayJoined } from "./uneven_batches.ts";
import { warn } from "../core/messages.ts";
import { DataLoader } from "../data/data_loader.ts";
import type { Fabric } from "../fabric/fabric.ts";
import { TensorScope } from "../tensor/scope.ts";
import { isStateful, type StateDict, type Stateful } from "../tensor/state.ts";

/** What a rank that has run out of batches gets in their place while others have some. */
export const NO_BATCH: unique symbol = Symbol("no batch");

/** How the ranks' loaders go together. */
export interface Joining {
  /** This rank gets {@linkcode NO_BATCH} when it has run out, up to the number of batches. Default: false. */
  joins?: boolean;
  /** The ranks may have different numbers of batches. Default: false. */
  isUneven?: boolean;
  /** Given where the epoch ends for all when one has run out: whether all have a batch, asked before each. */
  allHave?: (hasBatch: boolean, before: number) => Promise<boolean>;
}

/** A loader as the loops use it. */
export class ReadyLoader {
  /** What is iterated over: this rank's share. */
  readonly source: Batches;
  /** Batches that will be used, Infinity if that is not known. In training that of the rank with the most. */
  readonly batches: number;
  /** The ranks may have different numbers of batches. */
  readonly isUneven: boolean;
  readonly #joins: boolean;
  readonly #allHave: Joining["allHave"];
  /** This rank has run out in the epoch that is iterated over. */
  #isExhausted = false;
  #startsExhausted = false;
  /** True if the source frees what was made with a batch when the next is asked for. */
  readonly #scoped: boolean;
  /** Batches to pass over because a source without a state begins anew. */
  #skip = 0;

  constructor(source: Batches, batches: number, { joins = false, isUneven = false, allHave }: Joining = {}) {
    this.source = source;
    this.batches = batches;
    this.#joins = joins;
    this.#allHave = allHave;
    this.isUneven = isUneven;
    this.#scoped = source instanceof (DataLoader as unknown as new () => object);
  }

  get isStateful(): boolean {
    return isStateful(this.source);
  }

  setEpoch(epoch: number): void {
    (this.source as { setEpoch?(epoch: number): void }).setEpoch?.(epoch);
  }

  stateDict(): StateDict | null {
    return this.isStateful ? (this.source as unknown as Stateful).stateDict() : null;
  }

  /** This rank has run out of batches while others may have some. */
  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  /** The next iteration begins after `batch` batches; without any if this rank had run out. */
  resume(state: StateDict | null, batch: number, { isExhausted = false } = {}): void {
    this.#startsExhausted = isExhausted;
    if (state && this.isStateful) (this.source as unknown as Stateful).loadStateDict(state);
    else this.#skip = batch;
  }

  /**
   * The batches from `first` to before `end`, those that this rank lacks as {@linkcode NO_BATCH}. What is made while one is out is freed when
   * the next is asked for.
   */
  async *iterate(range: { first?: number; end?: number } = {}): AsyncGenerator<unknown> {
    let index = range.first ?? 0;
    const end = Math.min(this.batches, range.end ?? Infinity);
    this.#isExhausted = this.#startsExhausted;
    this.#startsExhausted = false;
    const skip = this.#skip;
    this.#skip = 0;
    if (index >= end) return;
    if (!this.#isExhausted) {
      for await (const batch of this.#scoped ? this.source : this.#inScopes(skip)) {
        if (await this.#allHave?.(true, index) === false) return;
        yield batch;
        if (++index >= end) return;
      }
    }
    await this.#allHave?.(false, index);
    if (!this.#joins) return;
    this.#isExhausted = true;
    for (; index < end; index++) {
      const scope = TensorScope.open("batch");
      try {
        yield NO_BATCH;
      } finally {
        scope.close();
      }
    }
  }

  /** The batches of a source that frees nothing, from the one after the first `skip`. */
  async *#inScopes(skip: number): AsyncGenerator<unknown> {
    let scope = TensorScope.open("batch");
    try {
      for await (const batch of this.source) {
        if (skip-- > 0) continue;
        yield batch;
        scope.close();
        scope = TensorScope.open("batch");
      }
    } finally {
      scope.close();
    }
  }
}

/** Which loop a loader is for. */
export type LoaderKind = "train" | "validate" | "test" | "predict";

/** The user's words for a kind. */
export const LOADER_NAMES = {
  train: { method: "trainDataloader", limit: "limitTrainBatches" },
  validate: { method: "valDataloader", limit: "limitValBatches" },
  test: { method: "testDataloader", limit: "limitTestBatches" },
  predict: { method: "predictDataloader", limit: "limitPredictBatches" },
} as const;

/** How a loader is made ready. */
export interface PrepareLoaderOptions {
  kind: LoaderKind;
  limit: BatchLimit | undefined;
  /** Keep a fixed order, for overfitting. */
  fixedOrder: boolean;
  useDistributedSampler: boolean;
  /** Hosts that share the ranks. */
  numNodes: number;
  /** In training, a rank that has run out takes part in the others' steps; else all use as many batches as the one with the fewest. */
  joins: boolean;
}

/**
 * One rank's share of a loader, with the number of batches that will be used.
 * @throws RangeError for a loader without batches, or a limit that leaves none
 */
export async function prepareLoader(
  fabric: Fabric,
  given: Batches,
  options: PrepareLoaderOptions,
): Promise<ReadyLoader> {
  const { kind, limit } = options;
  const { method } = LOADER_NAMES[kind];
  if (typeof given !== "object" || given === null || !(Symbol.asyncIterator in given || Symbol.iterator in given)) {
    throw new TypeError(
      `\`${method}\` must be a DataLoader or another iterable, but got ${given === null ? "null" : typeof given}`,
    );
  }
  let source = given;
  if (given instanceof (DataLoader as unknown as new () => object)) {
    let loader = given as DataLoader;
    if (kind === "train" && options.fixedOrder && loader.shuffle) {
      warn(
        "overfit-shuffle",
        "You requested to overfit but enabled train dataloader shuffling. We are turning off the train dataloader shuffling for you.",
      );
      loader = loader.reconfigure({ shuffle: false, sampler: undefined });
    } else if (kind !== "train" && loader.shuffle) {
      warn(
        `shuffled-${kind}`,
        `Your \`${method}\`'s sampler has shuffling enabled, it is strongly recommended that you turn shuffling off for val/test dataloaders.`,
      );
    }
    const hint = fewWorkersHint(loader, method, {
      cores: navigator.hardwareConcurrency,
      localWorldSize: Math.ceil(fabric.worldSize / options.numNodes),
    });
    if (hint !== undefined) warn(`few-workers-${kind}`, hint);
    const { useDistributedSampler } = options;
    source = fabric.setupDataloaders(loader, {
      useDistributedSampler,
      share: kind === "train" ? "samples" : "batches",
    });
  }
  const lengths = await lengthsOfRanks(fabric, lengthOf(source));
  const own = lengths[fabric.globalRank], most = Math.max(...lengths), fewest = Math.min(...lengths);
  if (most === 0) {
    throw new RangeError(
      `\`${method}\` has no batches: its dataset is empty, or smaller than the batch size with \`dropLast\`. ` +
        `To leave the loop out, set \`${LOADER_NAMES[kind].limit}: 0\``,
    );
  }
  if (kind !== "train" || lengths.length === 1) {
    const most = typeof limit === "number" && limit >= 1 ? limit : Infinity;
    const isUneven = lengths.length > 1 &&
      lengths.some((n) => n === Infinity || Math.min(n, most) !== Math.min(own, most));
    return new ReadyLoader(source, limited(own, limit, kind), { isUneven });
  }
  if (options.joins) {
    if (fewest < most) sayJoined(lengths);
    const isUneven = fewest < most || most === Infinity;
    return new ReadyLoader(source, limited(most, limit, kind), { joins: true, isUneven });
  }
  checkNoneEmpty(lengths.map((length) => length > 0));
  const wanted = lengths.map((length) => limited(length, limit, kind)), used = Math.min(...wanted);
  if (wanted.some((length) => length > used)) sayCut(wanted);
  return new ReadyLoader(source, used, { allHave: most === Infinity ? cutTogether(fabric) : undefined });
}

/** Batches of a source; Infinity if it does not say. */
function lengthOf(source: Batches): number {
  const { length } = source as { length?: unknown };
  return typeof length === "number" ? length : Infinity;
}

function limited(length: number, limit: BatchLimit | undefined, kind: LoaderKind): number {
  if (limit === undefined) return length;
  if (typeof limit === "number" && (limit >= 1 || limit === 0)) return Math.min(length, limit);
  const fraction = typeof limit === "number" ? limit : Number(limit.slice(0, -1)) / 100;
  const { method, limit: option } = LOADER_NAMES[kind];
  if (!Number.isFinite(length)) {
    if (fraction === 1) return length;
    throw new RangeError(
      `\`${option}: ${
        JSON.stringify(limit)
      }\` is a part of an epoch, but \`${method}\` does not say how many batches it has: give a whole number`,
    );
  }
  const batches = Math.floor(length * fraction);
  if (batches === 0 && fraction > 0) {
    throw new RangeError(
      `You requested to check ${limit} of the \`${method}\` but ${fraction} * ${length} < 1. Please increase the \`${option}\` ` +
        `argument. Try at least \`${option}: ${1 / length}\``,
    );
  }
  return batches;
}
