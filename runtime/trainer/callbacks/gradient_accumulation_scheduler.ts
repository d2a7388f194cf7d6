import { Callback, type CallbackOrder } from "../callback.ts";
import type { Trainer } from "../trainer.ts";

/**
 * Changes how many batches make one training step, from given epochs on.
 *
 * @example From epoch 4 on, every two batches make a step; before, each one does
 * ```ts
 * const scheduler = new GradientAccumulationScheduler({ 4: 2 });
 * console.assert(scheduler.at(3) === 1 && scheduler.at(10) === 2);
 * ```
 */
export class GradientAccumulationScheduler extends Callback {
  readonly #schedule: readonly (readonly [epoch: number, batches: number])[];

  /**
   * @param scheduling number of batches by the epoch, from 0, from which on it holds
   * @throws TypeError or RangeError if it is empty or has something else
   */
  constructor(scheduling: Readonly<Record<number, number>>) {
    super();
    if (typeof scheduling !== "object" || scheduling === null || Object.keys(scheduling).length === 0) {
      throw new TypeError("`GradientAccumulationScheduler` takes numbers of batches by epoch, such as { 4: 2 }");
    }
    const schedule: (readonly [number, number])[] = [];
    for (const [key, batches] of Object.entries(scheduling)) {
      const epoch = Number(key);
      if (!Number.isInteger(epoch) || epoch < 0) {
        throw new RangeError(
          `an epoch of \`GradientAccumulationScheduler\` must be an integer from 0 up, but got ${key}`,
        );
      }
      if (!Number.isInteger(batches) || batches < 1) {
        throw new RangeError(
          `\`GradientAccumulationScheduler({ ${key}: … })\` must be an integer from 1 up, but got ${batches}`,
        );
      }
      schedule.push([epoch, batches]);
    }
    schedule.sort(([a], [b]) => a - b);
    if (schedule[0][0] !== 0) schedule.unshift([0, 1]);
    this.#schedule = schedule;
  }

  override get order(): CallbackOrder {
    return "first";
  }

  /** Batches that make one step in an epoch. */
  at(epoch: number): number {
    return this.#schedule.findLast(([from]) => from <= epoch)![1];
  }

  /** @throws Error if the Trainer or the model leave no accumulation to schedule */
  override onTrainStart(trainer: Trainer): void {
    if (!trainer.module.automaticOptimization) {
      throw new Error(
        "Automatic gradient accumulation and the `GradientAccumulationScheduler` are not supported for manual optimization. " +
          "Remove the callback or switch to automatic optimization.",
      );
    }
    if (trainer.config.accumulateGradBatches !== 1) {
      throw new Error(
        "You have set `accumulateGradBatches` and are using the `GradientAccumulationScheduler` callback. " +
          "Either remove `accumulateGradBatches` from the Trainer or remove the callback.",
      );
    }
    // A run that resumes in the middle of an epoch has no start of it.
    trainer.accumulateGradBatches = this.at(trainer.currentEpoch);
  }

  override onTrainEpochStart(trainer: Trainer): void {
    trainer.accumulateGradBatches = this.at(trainer.currentEpoch);
  }
}
