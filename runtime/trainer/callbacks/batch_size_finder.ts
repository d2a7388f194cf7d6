import { Callback, type CallbackOrder } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { info } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { DataLoader } from "../../data/data_loader.ts";
import { checkName, checkOneOf, checkWhole } from "./checks.ts";

/** Options of {@linkcode BatchSizeFinder}. */
export interface BatchSizeFinderOptions {
  /** Double the size until it does not fit, or then also search between. Default: `"power"`. */
  mode?: "power" | "binsearch";
  /** Steps to try each size with. Default: 3. */
  stepsPerTrial?: number;
  /** The first size to try. Default: 2. */
  initVal?: number;
  /** How many sizes to try at most. Default: 25. */
  maxTrials?: number;
  /** The field of the data module, the model or their hyperparameters that `trainDataloader` takes the size from. Default: `"batchSize"`. */
  batchArgName?: string;
}

const OWNER = "BatchSizeFinder";

/** What a library says when memory is short. */
const OUT_OF_MEMORY = /out of memory|\boom\b|memory|allocat|heap|resource.?exhausted/i;

/**
 * Finds the largest batch size that fits into memory, before the training: tries a few steps with growing sizes until one does not fit or is the
 * whole data set, and trains with the last that did. Weights, optimizer and data are then as they were.
 *
 * The size is written to `batchSize` of the data module or model, or of their hyperparameters; `trainDataloader` must take it from
 * there. A system that hands out more memory than it has may end the process instead of refusing. One rank only.
 *
 * @example
 * ```ts
 * const finder = new BatchSizeFinder({ mode: "binsearch", initVal: 32 });
 * console.assert(finder.optimalBatchSize === undefined); // before fit
 * ```
 */
export class BatchSizeFinder extends Callback {
  readonly #mode: "power" | "binsearch";
  readonly #steps: number;
  readonly #initial: number;
  readonly #maxTrials: number;
  readonly #field: string;
  /** What was found. */
  optimalBatchSize: number | undefined;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: BatchSizeFinderOptions = {}) {
    super();
    rejectUnknownOptions(OWNER, options, ["mode", "stepsPerTrial", "initVal", "maxTrials", "batchArgName"]);
    this.#mode = options.mode ?? "power";
    this.#steps = options.stepsPerTrial ?? 3;
    this.#initial = options.initVal ?? 2;
    this.#maxTrials = options.maxTrials ?? 25;
    this.#field = options.batchArgName ?? "batchSize";
    checkOneOf(OWNER, "mode", this.#mode, ["power", "binsearch"]);
    checkWhole(OWNER, "stepsPerTrial", this.#steps, 1);
    checkWhole(OWNER, "initVal", this.#initial, 1);
    checkWhole(OWNER, "maxTrials", this.#maxTrials, 1);
    checkName(OWNER, "batchArgName", this.#field);
  }

  override get order(): CallbackOrder {
    return "first";
  }

  /** @throws Error with several ranks, or if nothing takes the size; what a step throws that is not for want of memory */
  override async onFitStart(trainer: Trainer, module: LightningModule): Promise<void> {
    if (trainer.ckptPath !== undefined || trainer.fastDevRun > 0) return;
    if (trainer.worldSize > 1) {
      throw new Error(
        `\`${OWNER}\` works with one rank: find the size with \`devices: 1\` and give it as \`batchSize\``,
      );
    }
    const holder = this.#holder(trainer, module);
    const most = await sampleCount(trainer);
    this.optimalBatchSize = await this.#search(trainer, most);
    holder[this.#field] = this.optimalBatchSize;
    trainer.reloadDataloaders();
    info(`Finished batch size finder, will continue with full run using batch size ${this.optimalBatchSize}`);
  }

  async #search(trainer: Trainer, most: number): Promise<number> {
    let fits: number | undefined, tooBig: number | undefined;
    let size = Math.min(this.#initial, most);
    for (let trial = 0; trial < this.#maxTrials; trial++) {
      if (await this.#tryOut(trainer, size)) {
        info(`Batch size ${size} succeeded, trying batch size ${Math.min(size * 2, most)}`);
        fits = size;
        if (size >= most) break;
      } else {
        info(`Batch size ${size} failed`);
        tooBig = size;
        if (this.#mode === "power" && fits !== undefined) break;
        if (size === 1) break;
      }
      if (tooBig === undefined) size = Math.min(size * 2, most);
      else if (fits === undefined) size = Math.floor(size / 2);
      else {
        if (tooBig - fits <= 1) break;
        size = Math.floor((fits + tooBig) / 2);
      }
    }
    if (fits !== undefined) return fits;
    throw new Error(
      `not even a batch of ${tooBig} sample${tooBig === 1 ? "" : "s"} fits into memory: make the model smaller`,
    );
  }

  async #tryOut(trainer: Trainer, batchSize: number): Promise<boolean> {
    try {
      await trainer.rehearse({ steps: this.#steps, batchSize });
      return true;
    } catch (error) {
      if (error instanceof RangeError || OUT_OF_MEMORY.test(String((error as Error)?.message))) return false;
      throw error;
    }
  }

  #holder({ datamodule }: Trainer, module: LightningModule): Record<string, unknown> {
    const candidates: unknown[] = [
      datamodule,
      datamodule?.hasHyperparameters ? datamodule.hparams : undefined,
      module,
      module.hasHyperparameters ? module.hparams : undefined,
    ];
    for (const candidate of candidates as (Record<string, unknown> | undefined)[]) {
      if (typeof candidate?.[this.#field] === "number") return candidate;
    }
    throw new Error(
      `\`${OWNER}\` found no number \`${this.#field}\` in the data module, the model or their hyperparameters: let \`trainDataloader\` use one, ` +
        "or say its name with `batchArgName`",
    );
  }
}

/** How many samples there are to put into a batch. */
async function sampleCount(trainer: Trainer): Promise<number> {
  // Asks for the loader, which is not there before the first epoch.
  await trainer.estimatedSteppingBatches();
  const loader = trainer.trainDataloader;
  if (!(loader instanceof (DataLoader as unknown as new () => object))) {
    throw new TypeError(
      `\`${OWNER}\` needs a DataLoader as training data: another iterable cannot be given another batch size`,
    );
  }
  const { length } = (loader as DataLoader).dataset as { length?: number };
  return length ?? Infinity;
}
