import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode MultiStepLR}. */
export interface MultiStepLROptions {
  /** At which steps. One that is given twice counts twice. */
  milestones: readonly number[];
  /** The factor. Default: 0.1. */
  gamma?: number;
}

/** Multiplies the learning rate by `gamma` at each of some steps. */
export class MultiStepLR extends LRScheduler {
  readonly #milestones: readonly number[];
  readonly #gamma: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: MultiStepLROptions) {
    super(optimizer);
    rejectUnknownOptions("MultiStepLR", options, ["milestones", "gamma"]);
    this.#milestones = [...options.milestones];
    this.#milestones.forEach((milestone) => checkCount("milestones", milestone, 0));
    this.#gamma = options.gamma ?? 0.1;
    checkNumber("gamma", this.#gamma);
    this.start();
  }

  override rateAt(step: number): number {
    return this.initialLearningRate * this.#gamma ** this.#milestones.filter((milestone) => milestone <= step).length;
  }
}
