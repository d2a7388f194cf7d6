import type { StateDict } from "../tensor/state.ts";

/**
 * Where in an epoch a training stands. `start`: its hooks have not run. `train`: the next thing is a batch. `validate`: a validation is due
 * before the next batch. `end`: the epoch is over, with its hooks.
 */
export type Phase = "start" | "train" | "validate" | "end";

const COUNTERS = ["epoch", "batch", "microBatch", "globalStep", "optimizerSteps", "totalBatches"] as const;

/** The one place where a training stands. Everything else is computed from it. */
export class FitProgress {
  /** The epoch, from 0. */
  epoch = 0;
  /** Batches of the epoch that are done. */
  batch = 0;
  phase: Phase = "start";
  /** Batches of the accumulation window that are done. */
  microBatch = 0;
  /** Training steps taken: batches, or windows of them, after which the parameters changed. */
  globalStep = 0;
  /** Steps of all optimizers together. */
  optimizerSteps = 0;
  /** Batches of all epochs. */
  totalBatches = 0;
  /** Schedulers that watch a metric have not been told of the last step yet: a checkpoint may be saved before. */
  plateauDue = false;
  #secondsBefore = 0;
  #startedAt: number | undefined;

  /** Begins to count the time that is trained. */
  startClock(): void {
    this.#startedAt = performance.now();
  }

  /** Seconds trained, in the processes before this one too. */
  get seconds(): number {
    return this.#secondsBefore + (this.#startedAt === undefined ? 0 : (performance.now() - this.#startedAt) / 1000);
  }

  /** Ends the counting of {@linkcode startClock}. */
  stopClock(): void {
    this.#secondsBefore = this.seconds;
    this.#startedAt = undefined;
  }

  /** Whether an epoch has begun and not ended. */
  get isMidEpoch(): boolean {
    return this.batch > 0 && this.phase !== "end";
  }

  /** Goes on to the next epoch. */
  nextEpoch(): void {
    this.epoch++;
    this.batch = 0;
    this.microBatch = 0;
    this.phase = "start";
  }

  stateDict(): StateDict {
    const { epoch, batch, phase, microBatch, globalStep, optimizerSteps, totalBatches, plateauDue, seconds } = this;
    return { epoch, batch, phase, microBatch, globalStep, optimizerSteps, totalBatches, plateauDue, seconds };
  }

  /** @throws TypeError if it is not the state of a training */
  loadStateDict(state: StateDict): void {
    const number = (name: string): number => {
      const value = state[name];
      if (typeof value === "number" && value >= 0) return value;
      throw new TypeError(`the checkpoint's progress must have a number \`${name}\`, but has ${JSON.stringify(value)}`);
    };
    for (const name of COUNTERS) this[name] = number(name);
    this.#secondsBefore = number("seconds");
    // Checkpoints of earlier versions do not say.
    this.plateauDue = state.plateauDue === true;
    if (!["start", "train", "validate", "end"].includes(state.phase as string)) {
      throw new TypeError(`the checkpoint's progress has an unknown phase ${JSON.stringify(state.phase)}`);
    }
    this.phase = state.phase as Phase;
  }
}
