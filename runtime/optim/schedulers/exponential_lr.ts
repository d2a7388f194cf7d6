import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode ExponentialLR}. */
export interface ExponentialLROptions {
  /** The factor. */
  gamma: number;
}

/** Multiplies the learning rate by `gamma` at every step. */
export class ExponentialLR extends LRScheduler {
  readonly #gamma: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: ExponentialLROptions) {
    super(optimizer);
    rejectUnknownOptions("ExponentialLR", options, ["gamma"]);
    checkNumber("gamma", options.gamma);
    this.#gamma = options.gamma;
    this.start();
  }

  override rateAt(step: number): number {
    return this.initialLearningRate * this.#gamma ** step;
  }
}
