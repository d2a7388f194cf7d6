import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { checkCount, LRScheduler } from "./lr_scheduler.ts";
import type { RateOwner } from "./rate.ts";

/** Options of {@linkcode SequentialLR}. */
export interface SequentialLROptions {
  /** The schedulers, made for the same optimizer. They are not to be stepped themselves. */
  schedulers: readonly LRScheduler[];
  /** At which step each of them but the first takes over, counting its own steps from 0. */
  milestones: readonly number[];
}

/**
 * One scheduler after the other.
 *
 * @example
 * ```ts ignore
 * import { ExponentialLR, LinearLR, SequentialLR } from "weft";
 * const optimizer = { learningRate: 1 };
 * const scheduler = new SequentialLR(optimizer, {
 *   schedulers: [
 *     new LinearLR(optimizer, { startFactor: 0.5, totalIters: 2 }),
 *     new ExponentialLR(optimizer, { gamma: 0.5 }),
 *   ],
 *   milestones: [2],
 * });
 * const rates = [1, 2, 3].map(() => (scheduler.step(), optimizer.learningRate));
 * console.assert(rates.join() === "0.75,1,0.5");
 * ```
 */
export class SequentialLR extends LRScheduler {
  readonly #schedulers: readonly LRScheduler[];
  readonly #milestones: readonly number[];

  /** @throws RangeError if the milestones do not rise or are not one fewer than the schedulers */
  constructor(optimizer: RateOwner, options: SequentialLROptions) {
    super(optimizer);
    rejectUnknownOptions("SequentialLR", options, ["schedulers", "milestones"]);
    this.#schedulers = [...options.schedulers];
    this.#milestones = [...options.milestones];
    for (const scheduler of this.#schedulers) {
      if (!(scheduler instanceof LRScheduler)) {
        throw new TypeError(
          "The schedulers of SequentialLR must be functions of the step; one that watches a metric cannot be among them",
        );
      }
      if (scheduler.optimizer !== optimizer) {
        throw new Error("The schedulers of SequentialLR must be made for its own optimizer");
      }
    }
    if (this.#schedulers.length === 0 || this.#milestones.length !== this.#schedulers.length - 1) {
      throw new RangeError(
        `SequentialLR needs one milestone fewer than schedulers, but got ${this.#milestones.length} and ${this.#schedulers.length}`,
      );
    }
    this.#milestones.forEach((milestone, i) => {
      checkCount("milestones", milestone);
      if (i > 0 && milestone <= this.#milestones[i - 1]) {
        throw new RangeError(`The milestones of SequentialLR must rise, but got ${this.#milestones.join(", ")}`);
      }
    });
    this.start();
  }

  override rateAt(step: number): number {
    const index = this.#milestones.filter((milestone) => milestone <= step).length;
    return this.#schedulers[index].rateAt(step - (index === 0 ? 0 : this.#milestones[index - 1]));
  }

  override stateDict(): StateDict {
    return { ...super.stateDict(), schedulers: this.#schedulers.map((scheduler) => scheduler.stateDict()) };
  }

  override loadStateDict(state: StateDict): void {
    const inner = state.schedulers;
    if (Array.isArray(inner) && inner.length === this.#schedulers.length) {
      this.#schedulers.forEach((scheduler, i) => scheduler.loadStateDict(inner[i] as StateDict));
    } else if (state.name === this.constructor.name) {
      throw new Error(`The state of ${this.constructor.name} must be of ${this.#schedulers.length} schedulers`);
    }
    super.loadStateDict(state);
  }
}
