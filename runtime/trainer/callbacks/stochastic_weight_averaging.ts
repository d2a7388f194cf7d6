import { Callback } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { info } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { checkNumber, checkOneOf, checkWhole } from "./checks.ts";
import { WeightAverage } from "./weight_average.ts";

/** Options of {@linkcode StochasticWeightAveraging}. */
export interface StochasticWeightAveragingOptions {
  /** The learning rate while averaging; one for each optimizer, or one for all. */
  swaLrs: number | readonly number[];
  /** The epoch from which on weights are averaged, counted from 0; below 1 a part of `maxEpochs`. Default: 0.8. */
  swaEpochStart?: number;
  /** Epochs in which the learning rate goes to `swaLrs`. Default: 10. */
  annealingEpochs?: number;
  /** How it goes there. Default: `"cos"`. */
  annealingStrategy?: "cos" | "linear";
}

const OWNER = "StochasticWeightAveraging";

/**
 * Averages the weights at the end of the last epochs, trained at a constant learning rate, and makes the mean the model's weights at the end of
 * the training (P. Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018).
 *
 * The learning rate is set before each batch, over what schedulers say. Moving averages of layers are averaged with the weights,
 * instead of being computed anew in another epoch. The model is validated with its own weights until the end.
 *
 * @example
 * ```ts
 * const averaging = new StochasticWeightAveraging({ swaLrs: 1e-2, swaEpochStart: 5 });
 * console.assert(averaging.updates === 0);
 * ```
 */
export class StochasticWeightAveraging extends Callback {
  readonly #rates: number | readonly number[];
  readonly #start: number;
  readonly #annealing: number;
  readonly #strategy: "cos" | "linear";
  readonly #average = new WeightAverage();
  /** The learning rates when averaging began. */
  #before: number[] | undefined;
  #firstEpoch = Infinity;

  /** @throws TypeError or RangeError for an option that is unknown, missing or impossible */
  constructor(options: StochasticWeightAveragingOptions) {
    super();
    rejectUnknownOptions(OWNER, options ?? {}, ["swaLrs", "swaEpochStart", "annealingEpochs", "annealingStrategy"]);
    const { swaLrs, swaEpochStart = 0.8, annealingEpochs = 10, annealingStrategy = "cos" } = options ?? {};
    for (const rate of typeof swaLrs === "object" ? swaLrs : [swaLrs]) {
      checkNumber(OWNER, "swaLrs", rate, { open: true });
    }
    if (swaEpochStart >= 1 || swaEpochStart === 0) checkWhole(OWNER, "swaEpochStart", swaEpochStart);
    else checkNumber(OWNER, "swaEpochStart", swaEpochStart);
    checkWhole(OWNER, "annealingEpochs", annealingEpochs);
    checkOneOf(OWNER, "annealingStrategy", annealingStrategy, ["cos", "linear"]);
    this.#rates = swaLrs;
    this.#start = swaEpochStart;
    this.#annealing = annealingEpochs;
    this.#strategy = annealingStrategy;
  }

  /** How many sets of weights the mean is of. */
  get updates(): number {
    return this.#average.updates;
  }

  override stateDict(): StateDict {
    return { updates: this.updates, before: this.#before ?? null, average: this.#average.stateDict() };
  }
  override loadStateDict(state: StateDict): void {
    this.#average.loadStateDict(state.average as StateDict);
    this.#average.updates = state.updates as number;
    this.#before = state.before as number[] | null ?? undefined;
  }

  /** @throws RangeError if it is not known which epoch is the last; Error if learning rates and optimizers do not match */
  override onTrainStart(trainer: Trainer): void {
    const { maxEpochs, optimizers } = trainer;
    if (this.#start < 1 && this.#start > 0 && !Number.isFinite(maxEpochs)) {
      throw new RangeError(
        `\`${OWNER}({ swaEpochStart: ${this.#start} })\` is a part of \`maxEpochs\`, but the Trainer has no limit: give an epoch, or \`maxEpochs\``,
      );
    }
    if (typeof this.#rates === "object" && this.#rates.length !== optimizers.length) {
      throw new Error(
        `\`${OWNER}({ swaLrs })\` has ${this.#rates.length} learning rates, but there are ${optimizers.length} optimizers: give one for each, or one for all`,
      );
    }
    this.#firstEpoch = this.#start < 1 ? Math.floor(this.#start * maxEpochs) : this.#start;
    if (trainer.currentEpoch < this.#firstEpoch) this.#forget();
  }

  override onTrainBatchStart(trainer: Trainer): void {
    const epochs = trainer.currentEpoch - this.#firstEpoch;
    if (epochs < 0) return;
    if (!this.#before) info(`Swapping scheduler for the learning rates of ${OWNER}`);
    this.#before ??= trainer.optimizers.map(({ learningRate }) => learningRate);
    const t = Math.min(1, epochs / Math.max(1, this.#annealing));
    const share = this.#strategy === "linear" ? t : (1 - Math.cos(Math.PI * t)) / 2;
    for (const [index, optimizer] of trainer.optimizers.entries()) {
      const rate = typeof this.#rates === "number" ? this.#rates : this.#rates[index];
      optimizer.learningRate = this.#annealing === 0 ? rate : rate * share + this.#before[index] * (1 - share);
    }
  }

  override onTrainEpochEnd(trainer: Trainer, module: LightningModule): void {
    if (trainer.currentEpoch < this.#firstEpoch) return;
    // The mean of n + 1 from that of n.
    this.#average.update(module, 1 / (this.updates + 1));
  }

  override onTrainEnd(_trainer: Trainer, module: LightningModule): void {
    if (this.updates > 0) this.#average.copyTo(module);
  }
  override onFitEnd(): void {
    this.#forget();
  }

  #forget(): void {
    this.#average.dispose();
    this.#average.updates = 0;
    this.#before = undefined;
  }
}
