import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkNumber } from "../optimizer_state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode OneCycleLR}. */
export interface OneCycleLROptions {
  /** The highest rate. */
  maxLearningRate: number;
  /** How many steps the cycle takes. Default: `epochs` times `stepsPerEpoch`. */
  totalSteps?: number;
  /** With `stepsPerEpoch`, instead of `totalSteps`. */
  epochs?: number;
  /** With `epochs`, instead of `totalSteps`. */
  stepsPerEpoch?: number;
  /** The part of the cycle in which the rate rises. Default: 0.3. */
  pctStart?: number;
  /** The shape of rise and fall. Default: `"cos"`. */
  annealStrategy?: "cos" | "linear";
  /** The highest rate over the first. Default: 25. */
  divFactor?: number;
  /** The first rate over the last. Default: 1e4. */
  finalDivFactor?: number;
  /** Fall to the first rate as fast as it rose, and then to the last, instead of straight to the last. Default: false. */
  threePhase?: boolean;
}

interface Phase {
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Raises the learning rate to a maximum and lowers it to almost nothing (L. Smith and N. Topin, "Super-Convergence", 2018), as in
 * PyTorch; the momentum is left alone. The optimizer's own rate plays no part. Meant to be stepped after every batch.
 */
export class OneCycleLR extends LRScheduler {
  readonly #total: number;
  readonly #phases: readonly Phase[];
  readonly #linear: boolean;

  /** @throws RangeError if an option is out of range or the number of steps is not given */
  constructor(optimizer: RateOwner, options: OneCycleLROptions) {
    super(optimizer);
    rejectUnknownOptions("OneCycleLR", options, [
      "maxLearningRate",
      "totalSteps",
      "epochs",
      "stepsPerEpoch",
      "pctStart",
      "annealStrategy",
      "divFactor",
      "finalDivFactor",
      "threePhase",
    ]);
    const { maxLearningRate: max, pctStart = 0.3, annealStrategy = "cos", divFactor = 25, finalDivFactor = 1e4 } =
      options;
    const total = options.totalSteps ?? (options.epochs ?? NaN) * (options.stepsPerEpoch ?? NaN);
    if (Number.isNaN(total)) {
      throw new RangeError("OneCycleLR needs `totalSteps`, or both `epochs` and `stepsPerEpoch`");
    }
    checkCount("totalSteps", total);
    checkNumber("maxLearningRate", max);
    checkNumber("pctStart", pctStart);
    if (pctStart > 1) throw new RangeError(`\`pctStart\` must be a number from 0 to 1, but got ${pctStart}`);
    if (annealStrategy !== "cos" && annealStrategy !== "linear") {
      throw new TypeError(`\`annealStrategy\` must be "cos" or "linear", but got ${String(annealStrategy)}`);
    }
    const first = max / divFactor, last = first / finalDivFactor, peak = pctStart * total - 1;
    this.#total = total;
    this.#linear = annealStrategy === "linear";
    this.#phases = options.threePhase
      ? [
        { end: peak, from: first, to: max },
        { end: 2 * pctStart * total - 2, from: max, to: first },
        { end: total - 1, from: first, to: last },
      ]
      : [{ end: peak, from: first, to: max }, { end: total - 1, from: max, to: last }];
    this.start();
  }

  /** @throws RangeError past the end of the cycle */
  override rateAt(step: number): number {
    if (step > this.#total) {
      throw new RangeError(
        `OneCycleLR was made for ${this.#total} steps, but is stepped ${step} times: give it more \`totalSteps\``,
      );
    }
    let begin = 0;
    for (const [index, { end, from, to }] of this.#phases.entries()) {
      if (step <= end || index === this.#phases.length - 1) {
        const done = (step - begin) / (end - begin);
        return this.#linear ? from + (to - from) * done : to + (from - to) * (1 + Math.cos(Math.PI * done)) / 2;
      }
      begin = end;
    }
    throw new Error("A cycle has phases");
  }
}
