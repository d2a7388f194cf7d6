import { Callback, type CallbackOrder } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { info, warn } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber, checkOneOf, checkWhole } from "./checks.ts";
import { setLearningRate } from "./set_learning_rate.ts";

/** Options of {@linkcode LearningRateFinder}. */
export interface LearningRateFinderOptions {
  /** The first rate to try. Default: 1e-8. */
  minLr?: number;
  /** The last rate to try. Default: 1. */
  maxLr?: number;
  /** How many steps to try. Default: 100. */
  numTrainingSteps?: number;
  /** Grow the rate by a factor or by a difference. Default: `"exponential"`. */
  mode?: "exponential" | "linear";
  /** Stop when the smoothed loss is above so many times the best; null never. Default: 4. */
  earlyStopThreshold?: number | null;
  /** Train with the suggestion; otherwise it is only computed. Default: true. */
  update?: boolean;
}

const OWNER = "LearningRateFinder";
/** How much of the mean of the losses is kept at each step. */
const SMOOTHING = 0.98;

/**
 * Tries growing learning rates before the training, one step each, and takes the one at which the loss fell fastest (L. Smith, "Cyclical Learning
 * Rates for Training Neural Networks", 2017). Weights, optimizer and data are then as they were. The optimizers, their schedulers and a hyperparameter
 * `learningRate` or `lr` get the suggestion. A fit that resumes does not search.
 *
 * @example
 * ```ts
 * const finder = new LearningRateFinder({ minLr: 1e-5, numTrainingSteps: 50 });
 * console.assert(finder.suggestion() === undefined); // before fit
 * ```
 */
export class LearningRateFinder extends Callback {
  readonly #options: Required<LearningRateFinderOptions>;
  /** The rates that were tried, and the smoothed losses after them. */
  readonly results: { lr: number[]; loss: number[] } = { lr: [], loss: [] };

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: LearningRateFinderOptions = {}) {
    super();
    rejectUnknownOptions(OWNER, options, [
      "minLr",
      "maxLr",
      "numTrainingSteps",
      "mode",
      "earlyStopThreshold",
      "update",
    ]);
    const { minLr = 1e-8, maxLr = 1, numTrainingSteps = 100, mode = "exponential", earlyStopThreshold = 4 } = options;
    checkNumber(OWNER, "minLr", minLr, { open: true });
    checkNumber(OWNER, "maxLr", maxLr, { least: minLr, open: true });
    checkWhole(OWNER, "numTrainingSteps", numTrainingSteps, 1);
    checkOneOf(OWNER, "mode", mode, ["exponential", "linear"]);
    if (earlyStopThreshold !== null) checkNumber(OWNER, "earlyStopThreshold", earlyStopThreshold, { least: 1 });
    this.#options = { minLr, maxLr, numTrainingSteps, mode, earlyStopThreshold, update: options.update ?? true };
  }

  override get order(): CallbackOrder {
    return "first";
  }

  /**
   * The rate at which the loss fell fastest, undefined if there are too few points.
   * @param options `skipBegin` (default 10) and `skipEnd` (default 1) points at the ends are not looked at
   */
  suggestion({ skipBegin = 10, skipEnd = 1 }: { skipBegin?: number; skipEnd?: number } = {}): number | undefined {
    const { lr, loss } = this.results;
    const points = loss.map((value, index) => ({ value, lr: lr[index] })).slice(skipBegin, loss.length - skipEnd)
      .filter(({ value }) => Number.isFinite(value));
    if (points.length < 2) return undefined;
    const slopes = points.map((_, i) => {
      const before = Math.max(0, i - 1), after = Math.min(points.length - 1, i + 1);
      return (points[after].value - points[before].value) / (after - before);
    });
    return points[slopes.indexOf(Math.min(...slopes))].lr;
  }

  override async onFitStart(trainer: Trainer, module: LightningModule): Promise<void> {
    if (trainer.ckptPath !== undefined || trainer.fastDevRun > 0) return;
    await this.#search(trainer);
    const rate = this.suggestion();
    if (rate === undefined) {
      warn(
        "lr-finder-points",
        "Failed to compute suggestion for learning rate because there are not enough points. Increase the loop iteration limits or the size of your dataset/dataloader.",
      );
      return;
    }
    if (!this.#options.update) return;
    setLearningRate(trainer, module, rate);
    info(`Learning rate set to ${rate}`);
  }

  async #search(trainer: Trainer): Promise<void> {
    const { numTrainingSteps: steps, earlyStopThreshold } = this.#options;
    const { lr, loss: losses } = this.results;
    lr.length = losses.length = 0;
    let mean = 0, best = Infinity;
    const [optimizer] = trainer.optimizers;
    const rateBefore = optimizer?.learningRate;
    // The rate of a step is set before it: the first here, the others by the step before.
    const prepare = (step: number) => void (optimizer.learningRate = this.#rateAt(step));
    if (optimizer) prepare(0);
    try {
      await trainer.rehearse({
        steps,
        onStep: (step, own) => {
          mean = SMOOTHING * mean + (1 - SMOOTHING) * own;
          const smoothed = mean / (1 - SMOOTHING ** (step + 1));
          lr.push(this.#rateAt(step));
          losses.push(smoothed);
          if (earlyStopThreshold !== null && step > 1 && smoothed > earlyStopThreshold * best) return false;
          best = Math.min(best, smoothed);
          prepare(step + 1);
          return Number.isFinite(smoothed);
        },
      });
    } finally {
      if (optimizer) optimizer.learningRate = rateBefore;
    }
  }

  #rateAt(step: number): number {
    const { minLr, maxLr, numTrainingSteps, mode } = this.#options;
    const t = (step + 1) / numTrainingSteps;
    return mode === "exponential" ? minLr * (maxLr / minLr) ** t : minLr + (maxLr - minLr) * t;
  }
}
