import { Callback } from "../callback.ts";
import type { Duration } from "../duration.ts";
import type { Trainer } from "../trainer.ts";
import { info } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { checkOneOf } from "./checks.ts";
import { callbackSeconds } from "./seconds.ts";

/** Options of {@linkcode Timer}. */
export interface TimerOptions {
  /** How long to train: `"DD:HH:MM:SS"` or its parts. Default: no limit, the time is only measured. */
  duration?: Duration;
  /** Look at the clock after steps or after epochs. Default: `"step"`. */
  interval?: "step" | "epoch";
  /** Say when the time is up. Default: true. */
  verbose?: boolean;
  /** A clock in milliseconds. Default: performance.now. */
  now?: () => number;
}

/** What is timed. */
export type TimedStage = "train" | "validate" | "test";

/**
 * Measures the time of training, validation and test, and ends the training when it has lasted long enough. Time before a checkpoint
 * that was resumed from counts.
 *
 * @example
 * ```ts
 * const timer = new Timer({ duration: { hours: 8 } });
 * console.assert(timer.timeRemaining() === 8 * 3600);
 * ```
 */
export class Timer extends Callback {
  readonly #seconds: number;
  readonly #interval: "step" | "epoch";
  readonly #verbose: boolean;
  readonly #now: () => number;
  /** Milliseconds before the stretch that runs. */
  readonly #elapsed: Record<TimedStage, number> = { train: 0, validate: 0, test: 0 };
  readonly #startedAt: Partial<Record<TimedStage, number>> = {};
  #isOver = false;

  /** @throws TypeError for an option that is unknown or impossible */
  constructor(options: TimerOptions = {}) {
    super();
    rejectUnknownOptions("Timer", options, ["duration", "interval", "verbose", "now"]);
    const { duration, interval = "step" } = options;
    checkOneOf("Timer", "interval", interval, ["step", "epoch"]);
    this.#seconds = duration === undefined ? Infinity : callbackSeconds("Timer", "duration", duration);
    this.#interval = interval;
    this.#verbose = options.verbose ?? true;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Seconds spent in a stage so far. */
  timeElapsed(stage: TimedStage = "train"): number {
    const startedAt = this.#startedAt[stage];
    return (this.#elapsed[stage] + (startedAt === undefined ? 0 : this.#now() - startedAt)) / 1000;
  }

  /** Seconds of training that are left; Infinity without a limit. */
  timeRemaining(): number {
    return Math.max(0, this.#seconds - this.timeElapsed());
  }

  override stateDict(): StateDict {
    const stages = Object.keys(this.#elapsed) as TimedStage[];
    return { timeElapsed: Object.fromEntries(stages.map((stage) => [stage, this.timeElapsed(stage)])) };
  }
  override loadStateDict(state: StateDict): void {
    for (const [stage, seconds] of Object.entries(state.timeElapsed as Record<TimedStage, number>)) {
      this.#elapsed[stage as TimedStage] = seconds * 1000;
    }
  }

  override onTrainStart(trainer: Trainer): void {
    this.#isOver = false;
    this.#start("train");
    this.#check(trainer);
  }
  override onTrainEnd(): void {
    this.#stop("train");
  }
  override onValidationStart(trainer: Trainer): void {
    if (!trainer.sanityChecking) this.#start("validate");
  }
  override onValidationEnd(): void {
    this.#stop("validate");
  }
  override onTestStart(): void {
    this.#start("test");
  }
  override onTestEnd(): void {
    this.#stop("test");
  }
  override onTrainBatchEnd(trainer: Trainer): void {
    if (this.#interval === "step") this.#check(trainer);
  }
  override onTrainEpochEnd(trainer: Trainer): void {
    if (this.#interval === "epoch") this.#check(trainer);
  }
  override onException(): void {
    for (const stage of ["train", "validate", "test"] as const) this.#stop(stage);
  }

  #start(stage: TimedStage): void {
    this.#startedAt[stage] = this.#now();
  }

  #stop(stage: TimedStage): void {
    this.#elapsed[stage] = this.timeElapsed(stage) * 1000;
    delete this.#startedAt[stage];
  }

  #check(trainer: Trainer): void {
    if (this.#isOver || this.timeRemaining() > 0) return;
    this.#isOver = true;
    trainer.shouldStop = true;
    if (!this.#verbose) return;
    info(`Time limit reached. Elapsed time is ${clock(this.timeElapsed())}. Signaling Trainer to stop.`);
  }
}

function clock(seconds: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
}
