import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode PolynomialLR}. */
export interface PolynomialLROptions {
  /** After how many steps the rate is 0. Default: 5. */
  totalIters?: number;
  /** The exponent. Default: 1. */
  power?: number;
}

/** Lowers the learning rate to 0 along a polynomial. */
export class PolynomialLR extends LRScheduler {
  readonly #total: number;
  readonly #power: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: PolynomialLROptions = {}) {
    super(optimizer);
    rejectUnknownOptions("PolynomialLR", options, ["totalIters", "power"]);
    this.#total = options.totalIters ?? 5;
    this.#power = options.power ?? 1;
    checkCount("totalIters", this.#total);
    checkNumber("power", this.#power);
    this.start();
  }

  override rateAt(step: number): number {
    return this.initialLearningRate * (1 - Math.min(step, this.#total) / this.#total) ** this.#power;
  }
}
