import { rejectUnknownOptions } from "../../core/suggest.ts";
import { LambdaLR } from "./lambda_lr.ts";
import { LinearLR } from "./linear_lr.ts";
import { checkCount, type LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";
import { SequentialLR } from "./sequential_lr.ts";

/** Options of {@linkcode WarmupLR}. */
export interface WarmupLROptions {
  /** How many steps it takes to reach the full rate. */
  warmupSteps: number;
  /** The factor on the initial rate at the beginning. Default: 0. */
  startFactor?: number;
  /** What follows, made for the same optimizer, counting its own steps from 0. Default: the initial rate stays. */
  after?: LRScheduler;
}

/**
 * Raises the learning rate evenly to the optimizer's, and then follows another scheduler.
 *
 * @example
 * ```ts ignore
 * import { CosineAnnealingLR, WarmupLR } from "weft";
 * const optimizer = { learningRate: 1 };
 * const scheduler = new WarmupLR(optimizer, { warmupSteps: 4, after: new CosineAnnealingLR(optimizer, { tMax: 100 }) });
 * scheduler.step();
 * console.assert(optimizer.learningRate === 0.25);
 * ```
 */
export class WarmupLR extends SequentialLR {
  /** @throws RangeError if an option is out of range */
  constructor(optimizer: RateOwner, options: WarmupLROptions) {
    rejectUnknownOptions("WarmupLR", options, ["warmupSteps", "startFactor", "after"]);
    checkCount("warmupSteps", options.warmupSteps);
    const after = options.after ?? new LambdaLR(optimizer, { lambda: () => 1 });
    const rise = new LinearLR(optimizer, { startFactor: options.startFactor ?? 0, totalIters: options.warmupSteps });
    super(optimizer, { schedulers: [rise, after], milestones: [options.warmupSteps] });
  }
}
