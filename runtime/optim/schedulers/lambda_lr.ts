import { rejectUnknownOptions } from "../../core/suggest.ts";
import { LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode LambdaLR}. */
export interface LambdaLROptions {
  /** The factor on the initial learning rate after so many steps. Must depend on its argument alone, so that a resumed run agrees. */
  lambda: (step: number) => number;
}

/**
 * Multiplies the initial learning rate by what a function says.
 *
 * @example
 * ```ts
 * const optimizer = { learningRate: 0.1 };
 * const scheduler = new LambdaLR(optimizer, { lambda: (step) => 1 / (1 + step) });
 * scheduler.step();
 * console.assert(optimizer.learningRate === 0.05);
 * ```
 */
export class LambdaLR extends LRScheduler {
  readonly #lambda: (step: number) => number;

  /** @throws TypeError if `lambda` is not a function that returns a number */
  constructor(optimizer: RateOwner, options: LambdaLROptions) {
    super(optimizer);
    rejectUnknownOptions("LambdaLR", options, ["lambda"]);
    if (typeof options.lambda !== "function") {
      throw new TypeError(`\`lambda\` must be a function from the step to a factor, but got ${typeof options.lambda}`);
    }
    this.#lambda = options.lambda;
    this.start();
  }

  override rateAt(step: number): number {
    const factor = this.#lambda(step);
    if (typeof factor === "number" && factor >= 0) return this.initialLearningRate * factor;
    throw new TypeError(
      `\`lambda\` of LambdaLR must return a number from 0, but returned ${String(factor)} for step ${step}`,
    );
  }
}
