import type { ReadyLoader } from "../loaders.ts";
import type { Session } from "../session.ts";
import type { TrainerConfig } from "../trainer_options.ts";

/** Decides after which training batches a validation runs. */
export class ValidationPlan {
  readonly #config: TrainerConfig;
  /** After every so many batches; Infinity for the end of the epoch. */
  readonly #everyBatches: number;
  readonly #isOn: boolean;
  #lastAt = performance.now();

  /** @throws RangeError if the interval is longer than the epoch */
  constructor(config: TrainerConfig, options: { isOn: boolean; batches: number }) {
    this.#config = config;
    this.#isOn = options.isOn;
    this.#everyBatches = interval(config, options.batches);
  }

  /** After a batch. `stopping`: the training ends here, so that a last validation is due. */
  isDue(
    session: Session,
    { stopping, loader }: { stopping: boolean; loader: ReadyLoader },
  ): boolean {
    const { progress, isLastBatch } = session;
    const { checkValEveryNEpoch, valCheckSeconds } = this.#config;
    if (!this.#isOn || !this.#isEpoch(progress.epoch)) return false;
    if (stopping) return true;
    if (valCheckSeconds !== undefined) return this.#isTimeUp(session, valCheckSeconds);
    if (this.#everyBatches === Infinity) return isLastBatch && Number.isFinite(loader.batches);
    const count = checkValEveryNEpoch === null ? progress.totalBatches : progress.batch;
    return count % this.#everyBatches === 0;
  }

  /** After the last batch of a loader that had not said that it was the last. */
  isDueAtUnknownEnd({ progress }: Session): boolean {
    return this.#isOn && this.#everyBatches === Infinity && this.#config.valCheckSeconds === undefined &&
      this.#isEpoch(progress.epoch);
  }

  /** By rank 0's clock: the others hear of it with the gradients of a later step. */
  #isTimeUp({ fabric, stop }: Session, seconds: number): boolean {
    const isUp = () => performance.now() - this.#lastAt >= seconds * 1000;
    if (fabric.worldSize > 1) {
      if (!stop.takeValidation()) {
        if (fabric.isGlobalZero && isUp()) stop.askForValidation();
        return false;
      }
    } else if (!isUp()) return false;
    this.#lastAt = performance.now();
    return true;
  }

  #isEpoch(epoch: number): boolean {
    const every = this.#config.checkValEveryNEpoch;
    return every === null || (epoch + 1) % every === 0;
  }
}

function interval({ valCheckInterval, checkValEveryNEpoch, valCheckSeconds }: TrainerConfig, batches: number): number {
  if (valCheckInterval === undefined || valCheckSeconds !== undefined) return Infinity;
  if (typeof valCheckInterval === "number" && valCheckInterval >= 1) {
    if (valCheckInterval > batches && checkValEveryNEpoch !== null) {
      throw new RangeError(
        `\`valCheckInterval\` (${valCheckInterval}) must be less than or equal to the number of the training batches (${batches}). ` +
          "If you want to disable validation set `limitValBatches` to 0 instead. If you want to validate based on the total training " +
          "batches, set `checkValEveryNEpoch: null`.",
      );
    }
    return valCheckInterval;
  }
  const fraction = typeof valCheckInterval === "number"
    ? valCheckInterval
    : Number(valCheckInterval.slice(0, -1)) / 100;
  if (fraction === 1) return Infinity;
  if (!Number.isFinite(batches)) {
    throw new RangeError(
      `\`valCheckInterval: ${
        JSON.stringify(valCheckInterval)
      }\` is a part of an epoch, but the training data does not say how many batches it ` +
        "has: give a whole number",
    );
  }
  return Math.max(1, Math.floor(batches * fraction));
}
