import { Callback } from "../callback.ts";
import type { CheckpointState } from "../checkpoint_state.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { checkNumber, checkWhole } from "./checks.ts";
import { WeightAverage } from "./weight_average.ts";

/** Options of {@linkcode EMAWeightAveraging}. */
export interface EMAWeightAveragingOptions {
  /** How much of the average is kept at each update. Default: 0.999. */
  decay?: number;
  /** Update after every so many training steps. Default: 1. */
  updateEveryNSteps?: number;
  /** Leave out so many training steps at the beginning. Default: 0. */
  updateStartingAtStep?: number;
}

const OWNER = "EMAWeightAveraging";

/**
 * Keeps an exponential moving average of the weights, `decay · average + (1 - decay) · weights` after every training step, and uses it for
 * validation. At the end of the training it becomes the model's weights. Moving averages of layers are averaged as well.
 *
 * Checkpoints hold the average as the model's weights, so that `loadFromCheckpoint` gives it, and the trained weights beside it, so
 * that a fit resumes from them.
 *
 * @example
 * ```ts
 * const averaging = new EMAWeightAveraging({ decay: 0.99, updateStartingAtStep: 100 });
 * console.assert(averaging.updates === 0);
 * ```
 */
export class EMAWeightAveraging extends Callback {
  readonly #decay: number;
  readonly #every: number;
  readonly #from: number;
  readonly #average = new WeightAverage();
  #lastStep = 0;
  #isSwapped = false;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: EMAWeightAveragingOptions = {}) {
    super();
    rejectUnknownOptions(OWNER, options, ["decay", "updateEveryNSteps", "updateStartingAtStep"]);
    this.#decay = options.decay ?? 0.999;
    this.#every = options.updateEveryNSteps ?? 1;
    this.#from = options.updateStartingAtStep ?? 0;
    checkNumber(OWNER, "decay", this.#decay, { most: 1 });
    checkWhole(OWNER, "updateEveryNSteps", this.#every, 1);
    checkWhole(OWNER, "updateStartingAtStep", this.#from);
  }

  /** How often the average was updated. */
  get updates(): number {
    return this.#average.updates;
  }

  override stateDict(): StateDict {
    return { updates: this.updates, lastStep: this.#lastStep };
  }
  override loadStateDict(state: StateDict): void {
    this.#average.updates = state.updates as number;
    this.#lastStep = state.lastStep as number;
  }

  override onTrainStart(trainer: Trainer): void {
    // A new training of the same Trainer begins anew.
    if (trainer.globalStep >= this.#lastStep) return;
    this.#average.updates = 0;
    this.#lastStep = 0;
  }

  override onTrainBatchEnd(trainer: Trainer, module: LightningModule): void {
    const { globalStep } = trainer;
    if (globalStep === this.#lastStep) return;
    this.#lastStep = globalStep;
    const index = globalStep - 1;
    if (index >= this.#from && index % this.#every === 0) this.#average.update(module, 1 - this.#decay);
  }

  override onValidationEpochStart(_trainer: Trainer, module: LightningModule): void {
    this.#swap(module, true);
  }
  override onValidationEpochEnd(_trainer: Trainer, module: LightningModule): void {
    this.#swap(module, false);
  }
  override onException(_trainer: Trainer, module: LightningModule): void {
    this.#swap(module, false);
  }

  override onTrainEnd(_trainer: Trainer, module: LightningModule): void {
    if (this.updates > 0) this.#average.copyTo(module);
  }
  override onFitEnd(): void {
    this.#average.dispose();
    this.#average.updates = 0;
  }

  override onSaveCheckpoint(_trainer: Trainer, _module: LightningModule, checkpoint: CheckpointState): void {
    if (this.updates === 0) return;
    checkpoint.currentModelState = checkpoint.stateDict;
    checkpoint.stateDict = this.#average.stateDict();
  }
  override onLoadCheckpoint(_trainer: Trainer, module: LightningModule, checkpoint: CheckpointState): void {
    if (checkpoint.currentModelState === undefined) return;
    this.#average.loadStateDict(checkpoint.stateDict);
    module.loadStateDict(checkpoint.currentModelState as StateDict, { strict: module.strictLoading });
  }

  /** Lets the model have the average, or its own weights back. */
  #swap(module: LightningModule, toAverage: boolean): void {
    if (this.#isSwapped === toAverage || this.updates === 0) return;
    this.#average.swap(module);
    this.#isSwapped = toAverage;
  }
}
