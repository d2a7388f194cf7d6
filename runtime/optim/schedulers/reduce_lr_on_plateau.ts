import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict, Stateful } from "../../tensor/state.ts";
import { checkNumber, stateNumber } from "../optimizer_state.ts";
import { checkCount, checkSchedulerState } from "./lr_scheduler.ts";
import { initialRateOf, rateOf, type RateOwner, setRate } from "./rate.ts";

/** Options of {@linkcode ReduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions {
  /** Whether the metric is to fall or to rise. Default: `"min"`. */
  mode?: "min" | "max";
  /** What the rate is multiplied by. Default: 0.1. */
  factor?: number;
  /** How many steps without improvement are let pass. Default: 10. */
  patience?: number;
  /** What counts as an improvement. Default: 1e-4. */
  threshold?: number;
  /** Whether the threshold is a part of the best value or a difference from it. Default: `"rel"`. */
  thresholdMode?: "rel" | "abs";
  /** How many steps to wait after lowering the rate before counting again. Default: 0. */
  cooldown?: number;
  /** The rate goes no lower. Default: 0. */
  minLearningRate?: number;
  /** A change of the rate smaller than this is not made. Default: 1e-8. */
  eps?: number;
}

/**
 * Lowers the learning rate when a metric has stopped improving, as in PyTorch.
 *
 * @example
 * ```ts
 * const optimizer = { learningRate: 1 };
 * const scheduler = new ReduceLROnPlateau(optimizer, { patience: 1, factor: 0.5 });
 * for (const loss of [3, 2, 2, 2]) scheduler.step(loss);
 * console.assert(optimizer.learningRate === 0.5);
 * ```
 */
export class ReduceLROnPlateau implements Stateful {
  /** What it sets the rate of. */
  readonly optimizer: RateOwner;
  readonly #options: Required<ReduceLROnPlateauOptions>;
  #best: number;
  #badSteps = 0;
  #cooldown = 0;
  #step = 0;

  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: ReduceLROnPlateauOptions = {}) {
    rejectUnknownOptions("ReduceLROnPlateau", options, [
      "mode",
      "factor",
      "patience",
      "threshold",
      "thresholdMode",
      "cooldown",
      "minLearningRate",
      "eps",
    ]);
    this.optimizer = optimizer;
    this.#options = {
      mode: options.mode ?? "min",
      factor: options.factor ?? 0.1,
      patience: options.patience ?? 10,
      threshold: options.threshold ?? 1e-4,
      thresholdMode: options.thresholdMode ?? "rel",
      cooldown: options.cooldown ?? 0,
      minLearningRate: options.minLearningRate ?? 0,
      eps: options.eps ?? 1e-8,
    };
    const { mode, factor, patience, threshold, thresholdMode, cooldown, minLearningRate, eps } = this.#options;
    if (mode !== "min" && mode !== "max") {
      throw new TypeError(`\`mode\` must be "min" or "max", but got ${String(mode)}`);
    }
    if (thresholdMode !== "rel" && thresholdMode !== "abs") {
      throw new TypeError(`\`thresholdMode\` must be "rel" or "abs", but got ${String(thresholdMode)}`);
    }
    checkNumber("factor", factor, { below: 1 });
    checkCount("patience", patience, 0);
    checkNumber("threshold", threshold);
    checkCount("cooldown", cooldown, 0);
    checkNumber("minLearningRate", minLearningRate);
    checkNumber("eps", eps);
    this.#best = mode === "min" ? Infinity : -Infinity;
    initialRateOf(optimizer);
  }

  /** The optimizer's learning rate now. */
  get learningRate(): number {
    return rateOf(this.optimizer);
  }

  /** How often `step` was called. */
  get lastStep(): number {
    return this.#step;
  }

  /** Takes the metric's new value and lowers the learning rate if it is time. @throws TypeError without a metric */
  step(metric?: number): void {
    if (typeof metric !== "number") {
      throw new TypeError(
        `ReduceLROnPlateau.step needs the metric it watches as a number, but got ${
          metric === undefined ? "nothing" : typeof metric
        }: ` +
          'step(valLoss), or { scheduler, monitor: "val_loss" } in configureOptimizers',
      );
    }
    const { patience, cooldown, factor, minLearningRate, eps } = this.#options;
    this.#step++;
    if (this.#improves(metric)) {
      this.#best = metric;
      this.#badSteps = 0;
    } else this.#badSteps++;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#badSteps = 0;
    }
    if (this.#badSteps <= patience) return;
    this.#cooldown = cooldown;
    this.#badSteps = 0;
    const lower = Math.max(this.learningRate * factor, minLearningRate);
    if (this.learningRate - lower > eps) setRate(this.optimizer, lower);
  }

  stateDict(): StateDict {
    return {
      name: "ReduceLROnPlateau",
      step: this.#step,
      best: this.#best,
      badSteps: this.#badSteps,
      cooldown: this.#cooldown,
      learningRate: this.learningRate,
    };
  }

  /** Takes over what it has seen, and sets the optimizer's learning rate. */
  loadStateDict(state: StateDict): void {
    checkSchedulerState(state, "ReduceLROnPlateau");
    const [step, best, badSteps, cooldown, rate] = ["step", "best", "badSteps", "cooldown", "learningRate"]
      .map((name) => stateNumber(state, name));
    this.#step = step;
    this.#best = best;
    this.#badSteps = badSteps;
    this.#cooldown = cooldown;
    setRate(this.optimizer, rate);
  }

  #improves(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    // The best of nothing is infinite, and a part of it would be as well.
    const margin = thresholdMode === "abs" ? threshold : Number.isFinite(this.#best) ? this.#best * threshold : 0;
    return mode === "min" ? metric < this.#best - margin : metric > this.#best + margin;
  }
}
