import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode CosineAnnealingLR}. */
export interface CosineAnnealingLROptions {
  /** After how many steps the rate is lowest; it rises again after. */
  tMax: number;
  /** The lowest rate. Default: 0. */
  etaMin?: number;
}

/**
 * Moves the learning rate along half a cosine (I. Loshchilov and F. Hutter, "SGDR", 2017).
 *
 * @example
 * ```ts
 * const optimizer = { learningRate: 1 };
 * const scheduler = new CosineAnnealingLR(optimizer, { tMax: 2 });
 * scheduler.step();
 * console.assert(Math.abs(optimizer.learningRate - 0.5) < 1e-12);
 * ```
 */
export class CosineAnnealingLR extends LRScheduler {
  readonly #tMax: number;
  readonly #etaMin: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: CosineAnnealingLROptions) {
    super(optimizer);
    rejectUnknownOptions("CosineAnnealingLR", options, ["tMax", "etaMin"]);
    checkCount("tMax", options.tMax);
    this.#tMax = options.tMax;
    this.#etaMin = options.etaMin ?? 0;
    checkNumber("etaMin", this.#etaMin);
    this.start();
  }

  override rateAt(step: number): number {
    return this.#etaMin + (this.initialLearningRate - this.#etaMin) * (1 + Math.cos(Math.PI * step / this.#tMax)) / 2;
  }
}
