import type { StateDict, Stateful } from "../../tensor/state.ts";
import { stateNumber } from "../optimizer_state.ts";
import { initialRateOf, rateOf, type RateOwner, setRate } from "./rate.ts";

/**
 * Sets an optimizer's learning rate as a function of how often `step` was called. The function is pure, so that a resumed run has
 * the very same rates. Groups with a rate of their own change in proportion.
 *
 * To write one's own: give `rateAt`, and call `this.start()` at the end of the constructor.
 */
export abstract class LRScheduler implements Stateful {
  /** What it sets the rate of. */
  readonly optimizer: RateOwner;
  #initial: number;
  #step = 0;

  /** @throws TypeError if the optimizer has no learning rate */
  constructor(optimizer: RateOwner) {
    this.optimizer = optimizer;
    this.#initial = initialRateOf(optimizer);
  }

  /** The learning rate after so many steps. */
  abstract rateAt(step: number): number;

  /** The optimizer's learning rate before any scheduler changed it. */
  get initialLearningRate(): number {
    return this.#initial;
  }

  /** How often `step` was called. */
  get lastStep(): number {
    return this.#step;
  }

  /** The optimizer's learning rate now. */
  get learningRate(): number {
    return rateOf(this.optimizer);
  }

  /** Goes one on, and sets the optimizer's learning rate. */
  step(): void {
    const rate = this.rateAt(this.#step + 1);
    this.#step++;
    setRate(this.optimizer, rate);
  }

  stateDict(): StateDict {
    return { name: this.constructor.name, step: this.#step, initialLearningRate: this.#initial };
  }

  /** Takes over the place in the schedule, and sets the optimizer's learning rate. @throws Error if it is another scheduler's state */
  loadStateDict(state: StateDict): void {
    checkSchedulerState(state, this.constructor.name);
    const step = stateNumber(state, "step");
    this.#initial = stateNumber(state, "initialLearningRate");
    this.#step = step;
    this.start();
  }

  /** Sets the optimizer's learning rate to that of the present step. */
  protected start(): void {
    setRate(this.optimizer, this.rateAt(this.#step));
  }
}

/** @throws Error if the state is not that of a scheduler of this kind */
export function checkSchedulerState(state: StateDict, name: string): void {
  if (state.name === name) return;
  throw new Error(
    `This is the state of ${
      typeof state.name === "string" ? state.name : "no scheduler"
    }, which ${name} cannot go on from`,
  );
}

/** @throws RangeError if the option is not a whole number from `min` */
export function checkCount(option: string, value: number, min = 1): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new RangeError(`\`${option}\` must be a whole number from ${min}, but got ${String(value)}`);
}
