import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode CosineAnnealingWarmRestarts}. */
export interface CosineAnnealingWarmRestartsOptions {
  /** How many steps the first fall takes. */
  t0: number;
  /** How many times as long each takes as the one before. Default: 1. */
  tMult?: number;
  /** The lowest rate. Default: 0. */
  etaMin?: number;
}

/** Falls along half a cosine, again and again from the initial rate (I. Loshchilov and F. Hutter, "SGDR", 2017). */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly #t0: number;
  readonly #tMult: number;
  readonly #etaMin: number;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: CosineAnnealingWarmRestartsOptions) {
    super(optimizer);
    rejectUnknownOptions("CosineAnnealingWarmRestarts", options, ["t0", "tMult", "etaMin"]);
    this.#t0 = options.t0;
    this.#tMult = options.tMult ?? 1;
    this.#etaMin = options.etaMin ?? 0;
    checkCount("t0", this.#t0);
    checkCount("tMult", this.#tMult);
    checkNumber("etaMin", this.#etaMin);
    this.start();
  }

  override rateAt(step: number): number {
    let length = this.#t0, within = this.#tMult === 1 ? step % length : step;
    while (within >= length) {
      within -= length;
      length *= this.#tMult;
    }
    return this.#etaMin + (this.initialLearningRate - this.#etaMin) * (1 + Math.cos(Math.PI * within / length)) / 2;
  }
}
