import type { tf } from "../../tensor/tf.ts";

/** Something whose learning rate a scheduler sets: an optimizer of this library, of tfjs, or any object with that property. */
export type RateOwner = tf.Optimizer | { learningRate: number };

interface TfjsRate {
  learningRate: number;
  setLearningRate?(learningRate: number): void;
}

const initialRates = new WeakMap<RateOwner, number>();

/** The learning rate that the optimizer has now. @throws TypeError if it has none */
export function rateOf(optimizer: RateOwner): number {
  const rate = (optimizer as TfjsRate | null | undefined)?.learningRate;
  if (typeof rate === "number") return rate;
  throw new TypeError(
    `A scheduler needs an optimizer with a learning rate, e.g. new StepLR(new AdamW({ learningRate: 1e-3 }), { stepSize: 10 }), but got ${
      optimizer === null ? "null" : typeof optimizer
    }`,
  );
}

/** Sets the learning rate. tfjs's SGD keeps it in a tensor and has a method for it. */
export function setRate(optimizer: RateOwner, rate: number): void {
  const target = optimizer as TfjsRate;
  if (typeof target.setLearningRate === "function") target.setLearningRate(rate);
  else target.learningRate = rate;
}

/** The rate before any scheduler changed it, so that schedulers in sequence start from the same one. */
export function initialRateOf(optimizer: RateOwner): number {
  let rate = initialRates.get(optimizer);
  if (rate === undefined) initialRates.set(optimizer, rate = rateOf(optimizer));
  return rate;
}
