import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode StepLR}. */
export interface StepLROptions {
  /** After every how many steps. */
  stepSize: number;
  /** The factor. Default: 0.1. */
  gamma?: number;
}

/**
 * Multiplies the learning rate by `gamma` after every `stepSize` steps.
 *
 * @example
 * ```ts
 * const optimizer = { learningRate: 1 };
 * const scheduler = new StepLR(optimizer, { stepSize: 2, gamma: 0.5 });
 * const rates = [0, 1, 2, 3].map(() => (scheduler.step(), optimizer.learningRate));
 * console.assert(rates.join() === "1,0.5,0.5,0.25");
 * ```
 */
export class StepLR extends LRScheduler {
  readonly #stepSize: number;
  readonly #gamma: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: StepLROptions) {
    super(optimizer);
    rejectUnknownOptions("StepLR", options, ["stepSize", "gamma"]);
    checkCount("stepSize", options.stepSize);
    this.#stepSize = options.stepSize;
    this.#gamma = options.gamma ?? 0.1;
    checkNumber("gamma", this.#gamma);
    this.start();
  }

  override rateAt(step: number): number {
    return this.initialLearningRate * this.#gamma ** Math.floor(step / this.#stepSize);
  }
}
