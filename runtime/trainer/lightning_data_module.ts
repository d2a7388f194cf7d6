import type { HookResult } from "./callback.ts";
import { Hyperparameters, type SaveHyperparametersOptions } from "./hyperparameters.ts";
import type { Batches, Loaders } from "./lightning_module.ts";
import type { Stage } from "./stage.ts";
import type { Trainer } from "./trainer.ts";
import { DataLoader } from "../data/data_loader.ts";
import type { Dataset, IterableDataset } from "../data/dataset.ts";
import type { Device } from "../fabric/device.ts";
import type { StateDict } from "../tensor/state.ts";

/** Any dataset that a DataLoader takes. */
// deno-lint-ignore no-explicit-any
type AnyDataset = Dataset<any> | IterableDataset<any> | any[];

/** Options of {@linkcode LightningDataModule.fromDatasets}. */
export interface FromDatasetsOptions {
  trainDataset?: AnyDataset;
  valDataset?: AnyDataset | readonly AnyDataset[];
  testDataset?: AnyDataset | readonly AnyDataset[];
  predictDataset?: AnyDataset | readonly AnyDataset[];
  /** Default: 1. */
  batchSize?: number;
  /** Default: 0. */
  numWorkers?: number;
}

let setTrainer: (datamodule: LightningDataModule, trainer: Trainer | undefined) => void;

/** Ties a data module to the Trainer that uses it. Not for users. */
export function attachDataModule(datamodule: LightningDataModule, trainer: Trainer | undefined): void {
  setTrainer(datamodule, trainer);
}

/**
 * Data and how it is prepared, apart from the model: `prepareData` downloads, `setup` makes datasets on every rank, and the loader
 * methods give loaders.
 *
 * @example
 * ```ts
 * const data = LightningDataModule.fromDatasets({ trainDataset: [1, 2, 3, 4], batchSize: 2 });
 * console.assert(String(data).startsWith("Train dataloader: size=4"));
 * ```
 */
// deno-lint-ignore no-explicit-any
export class LightningDataModule<H extends object = any> {
  #trainer: Trainer | undefined;
  readonly #hyperparameters = new Hyperparameters<H>("LightningDataModule");

  static {
    setTrainer = (datamodule, trainer) => void (datamodule.#trainer = trainer);
  }

  /** True if every host has to prepare its data, false if one for all. Default: true. */
  prepareDataPerNode = true;

  /** The Trainer that uses it. @throws Error if none does */
  get trainer(): Trainer {
    if (this.#trainer) return this.#trainer;
    throw new Error(`\`${this.constructor.name}\` is not attached to a \`Trainer\``);
  }

  /** Notes hyperparameters, as `LightningModule.saveHyperparameters` does. */
  saveHyperparameters(hparams: H, options: SaveHyperparametersOptions = {}): void {
    this.#hyperparameters.save(hparams, options);
  }
  get hparams(): H {
    return this.#hyperparameters.current;
  }
  get hparamsInitial(): Readonly<H> {
    return this.#hyperparameters.initial;
  }
  get logsHyperparameters(): boolean {
    return this.#hyperparameters.toLogger;
  }
  get hasHyperparameters(): boolean {
    return this.#hyperparameters.isSaved;
  }

  /** Downloads and other work that one rank a host does for all. */
  prepareData(): HookResult {}
  /** Makes datasets, on every rank. */
  setup(_stage: Stage): HookResult {}
  teardown(_stage: Stage): HookResult {}
  trainDataloader(): Batches | Promise<Batches> {
    throw new Error(`\`${this.constructor.name}\` has no \`trainDataloader\``);
  }
  valDataloader(): Loaders | Promise<Loaders> {
    throw new Error(`\`${this.constructor.name}\` has no \`valDataloader\``);
  }
  testDataloader(): Loaders | Promise<Loaders> {
    throw new Error(`\`${this.constructor.name}\` has no \`testDataloader\``);
  }
  predictDataloader(): Loaders | Promise<Loaders> {
    throw new Error(`\`${this.constructor.name}\` has no \`predictDataloader\``);
  }
  onBeforeBatchTransfer(batch: unknown, _dataloaderIdx: number): unknown {
    return batch;
  }
  /** Used instead of the model's if it is overridden. */
  transferBatchToDevice(batch: unknown, _device: Device, _dataloaderIdx: number): unknown {
    return batch;
  }
  onAfterBatchTransfer(batch: unknown, _dataloaderIdx: number): unknown {
    return batch;
  }
  /** State to keep in checkpoints. */
  stateDict(): StateDict {
    return {};
  }
  loadStateDict(_state: StateDict): void {}
  onException(_error: unknown): HookResult {}

  /** A data module of datasets. The training data is shuffled. */
  static fromDatasets(options: FromDatasetsOptions): LightningDataModule {
    const { batchSize = 1, numWorkers = 0 } = options;
    const loader = (dataset: AnyDataset, shuffle = false) =>
      new DataLoader(dataset, { batchSize, numWorkers, shuffle });
    const loaders = (datasets: AnyDataset | readonly AnyDataset[]): Loaders =>
      Array.isArray(datasets) && datasets.length > 0 && datasets.every(isDataset)
        ? datasets.map((dataset) => loader(dataset))
        : loader(datasets as AnyDataset);
    const { trainDataset, valDataset, testDataset, predictDataset } = options;
    const datamodule = new LightningDataModule();
    if (trainDataset) datamodule.trainDataloader = () => loader(trainDataset, !(isIterable(trainDataset)));
    if (valDataset) datamodule.valDataloader = () => loaders(valDataset);
    if (testDataset) datamodule.testDataloader = () => loaders(testDataset);
    if (predictDataset) datamodule.predictDataloader = () => loaders(predictDataset);
    return datamodule;
  }

  /** What it holds, one line a loader. */
  toString(): string {
    const line = (
      title: string,
      method: "trainDataloader" | "valDataloader" | "testDataloader" | "predictDataloader",
    ) => {
      if (this[method] === LightningDataModule.prototype[method]) return `${title} dataloader: None`;
      let given: unknown;
      try {
        given = this[method]();
      } catch {
        return `${title} dataloader: not set up`;
      }
      const sizes = (Array.isArray(given) ? given : [given]).map((loader) =>
        (loader as { dataset?: { length?: number } }).dataset?.length ?? "unknown"
      );
      return `${title} dataloader: size=${sizes.join(", ")}`;
    };
    return [
      line("Train", "trainDataloader"),
      line("Validation", "valDataloader"),
      line("Test", "testDataloader"),
      line("Predict", "predictDataloader"),
    ].join("\n");
  }
}

function isDataset(value: unknown): boolean {
  return Array.isArray(value) ||
    (typeof value === "object" && value !== null && ("get" in value || Symbol.asyncIterator in value));
}

function isIterable(dataset: AnyDataset): boolean {
  return !Array.isArray(dataset) && !("get" in dataset);
}
