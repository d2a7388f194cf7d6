import type { HookCaller } from "./hooks.ts";
import { LightningDataModule } from "./lightning_data_module.ts";
import { type Batches, LightningModule, type Loaders } from "./lightning_module.ts";
import { LOADER_NAMES, type LoaderKind, prepareLoader, type ReadyLoader } from "./loaders.ts";
import { overrides } from "./hooks.ts";
import type { TrainerConfig } from "./trainer_options.ts";
import { warn } from "../core/messages.ts";
import type { Fabric } from "../fabric/fabric.ts";

/** True for several loaders: an array of DataLoaders or other asynchronous sources. Another array holds the batches of one. */
function isList(given: Loaders): given is readonly Batches[] {
  return Array.isArray(given) && given.length > 0 &&
    given.every((item) => typeof item === "object" && item !== null && Symbol.asyncIterator in item);
}

/** Loaders as given to `fit` and the others. */
export type GivenLoaders = Partial<Record<LoaderKind, Loaders>>;

/** Where loaders come from: the call, the data module or the model, in this order. Each is asked for when it is first needed. */
export class LoaderSet {
  readonly #fabric: Fabric;
  readonly #config: TrainerConfig;
  readonly #module: LightningModule;
  readonly #datamodule: LightningDataModule | undefined;
  readonly #given: GivenLoaders;
  readonly #hooks: HookCaller;
  readonly #ready: Partial<Record<LoaderKind, readonly ReadyLoader[]>> = {};

  constructor(parts: {
    fabric: Fabric;
    config: TrainerConfig;
    module: LightningModule;
    datamodule: LightningDataModule | undefined;
    given: GivenLoaders;
    hooks: HookCaller;
  }) {
    this.#fabric = parts.fabric;
    this.#config = parts.config;
    this.#module = parts.module;
    this.#datamodule = parts.datamodule;
    this.#given = parts.given;
    this.#hooks = parts.hooks;
  }

  /** True if there is a source of this kind. */
  has(kind: LoaderKind): boolean {
    const { method } = LOADER_NAMES[kind];
    return this.#given[kind] !== undefined ||
      (this.#datamodule !== undefined && overrides(this.#datamodule, LightningDataModule.prototype, method)) ||
      overrides(this.#module, LightningModule.prototype, method);
  }

  /** What was made ready so far. */
  known(kind: LoaderKind): readonly ReadyLoader[] {
    return this.#ready[kind] ?? [];
  }

  /** The loaders, made ready when they are first asked for. @throws Error if there is no source */
  async get(kind: LoaderKind): Promise<readonly ReadyLoader[]> {
    return this.#ready[kind] ??= await this.#prepare(kind);
  }

  /** Asks for the loaders again when they are next needed. */
  forget(kind: LoaderKind): void {
    delete this.#ready[kind];
  }

  async #prepare(kind: LoaderKind): Promise<readonly ReadyLoader[]> {
    const config = this.#config;
    const limit = config.overfitBatches && (kind === "train" || kind === "validate")
      ? config.overfitBatches
      : config.limits[kind];
    if (limit === 0) return [];
    const given = await this.#ask(kind);
    const several = isList(given) ? given : [given as Batches];
    if (kind === "train" && several.length !== 1) {
      throw new TypeError(
        `training takes one loader, but got ${several.length}: combine them in one iterable, or concatenate their datasets`,
      );
    }
    if (several.length === 0) {
      throw new TypeError(`\`${LOADER_NAMES[kind].method}\` gave an empty array: give at least one loader`);
    }
    const ready: ReadyLoader[] = [];
    for (const loader of several) {
      ready.push(
        await prepareLoader(this.#fabric, loader, {
          kind,
          limit,
          fixedOrder: config.overfitBatches !== 0,
          useDistributedSampler: config.useDistributedSampler,
          numNodes: config.fabric.numNodes ?? 1,
          joins: this.#module.automaticOptimization,
        }),
      );
    }
    const [{ batches }] = ready;
    if (kind === "train" && config.logEveryNSteps > batches && this.#fabric.loggers.length > 0) {
      warn(
        "log-interval",
        `The number of training batches (${batches}) is smaller than the logging interval Trainer({ logEveryNSteps: ${config.logEveryNSteps} }). ` +
          "Set a lower value for logEveryNSteps if you want to see logs for the training epoch.",
      );
    }
    return ready;
  }

  async #ask(kind: LoaderKind): Promise<Loaders> {
    const { method } = LOADER_NAMES[kind];
    const given = this.#given[kind];
    if (given !== undefined) return given;
    const datamodule = this.#datamodule;
    if (datamodule && overrides(datamodule, LightningDataModule.prototype, method)) return await datamodule[method]();
    if (overrides(this.#module, LightningModule.prototype, method)) {
      return await this.#hooks.module<Loaders>(method, () => this.#module[method]() as Loaders);
    }
    throw new Error(
      `there is no \`${method}\`: give loaders to the Trainer's method, a datamodule, or write \`${method}\` in the model`,
    );
  }
}
