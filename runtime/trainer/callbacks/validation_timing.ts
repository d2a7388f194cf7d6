import type { Trainer } from "../trainer.ts";

/**
 * True if what looks at metrics after an epoch should do so at the end of the training epoch: no validation comes after it, and none in
 * between.
 */
export function decidesAtTrainEpochEnd(trainer: Trainer): boolean {
  return !trainer.enableValidation || (trainer.checkValEveryNEpoch === 1 && trainer.validatesOnceAnEpoch);
}
