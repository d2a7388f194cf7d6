import type { Session } from "../session.ts";

/** Makes weights and optimizer states the same on all ranks, where a strategy lets them differ between steps. Waits for every rank. */
export async function agreeOnWeights({ optimizers }: Session): Promise<void> {
  for (const { original } of optimizers) await original.synchronize();
}

/**
 * @param batches of an epoch; Infinity if its loader does not say
 * @throws RangeError if ranks that step alone could not know when an epoch ends
 */
export function checkKnownLength({ fabric, optimizers }: Session, batches: number): void {
  if (Number.isFinite(batches) || fabric.worldSize === 1 || !optimizers.some(({ original }) => original.stepsAlone)) {
    return;
  }
  throw new RangeError(
    "with local SGD every rank must know how many batches an epoch has, because ranks that step alone do not tell each other when they run out: " +
      "give the training data a `length`, or set `limitTrainBatches`",
  );
}
