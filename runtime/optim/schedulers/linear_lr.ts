import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode LinearLR}. */
export interface LinearLROptions {
  /** The factor at the beginning. Default: 1/3. */
  startFactor?: number;
  /** The factor from the end on. Default: 1. */
  endFactor?: number;
  /** How many steps lie between. Default: 5. */
  totalIters?: number;
}

/** Changes the factor on the initial learning rate evenly from one number to another. */
export class LinearLR extends LRScheduler {
  readonly #start: number;
  readonly #end: number;
  readonly #total: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: LinearLROptions = {}) {
    super(optimizer);
    rejectUnknownOptions("LinearLR", options, ["startFactor", "endFactor", "totalIters"]);
    this.#start = options.startFactor ?? 1 / 3;
    this.#end = options.endFactor ?? 1;
    this.#total = options.totalIters ?? 5;
    checkNumber("startFactor", this.#start);
    checkNumber("endFactor", this.#end);
    checkCount("totalIters", this.#total);
    this.start();
  }

  override rateAt(step: number): number {
    const done = Math.min(step, this.#total) / this.#total;
    return this.initialLearningRate * (this.#start + (this.#end - this.#start) * done);
  }
}
