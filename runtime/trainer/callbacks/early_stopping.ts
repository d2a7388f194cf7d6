import { Callback, type CallbackOrder } from "../callback.ts";
import type { Trainer } from "../trainer.ts";
import { info, warn } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { StateDict } from "../../tensor/state.ts";
import { checkName, checkNumber, checkOneOf, checkWhole } from "./checks.ts";
import { decidesAtTrainEpochEnd } from "./validation_timing.ts";

/** Options of {@linkcode EarlyStopping}. */
export interface EarlyStoppingOptions {
  /** The logged metric to watch. */
  monitor: string;
  /** An improvement of this size or less does not count. Default: 0. */
  minDelta?: number;
  /** How many checks without improvement end the training. Default: 3. */
  patience?: number;
  /** Whether a small or a large value is good. Default: `"min"`. */
  mode?: "min" | "max";
  /** Whether a missing metric is an error; if not it is a warning. Default: true. */
  strict?: boolean;
  /** Stop when the metric is NaN or infinite. Default: true. */
  checkFinite?: boolean;
  /** Stop once the metric is better than this. Default: none. */
  stoppingThreshold?: number;
  /** Stop once the metric is worse than this. Default: none. */
  divergenceThreshold?: number;
  /** Check at the end of the training epoch, not of the validation. Default: true if there is no validation in each epoch's end. */
  checkOnTrainEpochEnd?: boolean;
  /** Say when the metric improved. Default: false. */
  verbose?: boolean;
}

/** Why the training was stopped. */
export type StoppedReason =
  | "notStopped"
  | "stoppingThreshold"
  | "divergenceThreshold"
  | "patienceExhausted"
  | "nonFiniteMetric";

/** Outcome of looking at one value. */
interface Verdict {
  reason: StoppedReason;
  text: string | undefined;
}

/** What a rank goes by when it looks at the next value. */
interface Standing extends Record<string, number> {
  waitCount: number;
  bestScore: number;
}

const OWNER = "EarlyStopping";

/**
 * Ends the training when a metric no longer improves: after `patience` checks without a better value, at a threshold, or when it is not
 * finite. If one rank wants to stop, all do. The least number of epochs and steps of the Trainer is kept.
 *
 * A metric that is logged with `{ syncDist: false }` is each rank's own, and so is what it counts. A checkpoint has that of all ranks: a run that is resumed by as
 * many stops where it would have; another number of ranks goes on with rank 0's.
 *
 * @example
 * ```ts
 * const stopping = new EarlyStopping({ monitor: "val_loss", patience: 5 });
 * console.assert(stopping.stoppedReason === "notStopped");
 * ```
 */
export class EarlyStopping extends Callback {
  readonly monitor: string;
  readonly mode: "min" | "max";
  readonly patience: number;
  /** 0 or less for `"min"`, 0 or more for `"max"`. */
  readonly minDelta: number;
  readonly #options: EarlyStoppingOptions;
  /** Checks without improvement. */
  waitCount = 0;
  bestScore: number;
  /** The epoch in which it stopped, -1 if it did not. */
  stoppedEpoch = -1;
  stoppedReason: StoppedReason = "notStopped";
  /** Every rank's after the last check, by rank. */
  #standings: readonly Standing[] = [];
  /** Whether they come from a checkpoint, and this rank has not taken its own yet. */
  #isRestored = false;

  /** @throws TypeError or RangeError for an option that is unknown, missing or impossible */
  constructor(options: EarlyStoppingOptions) {
    super();
    rejectUnknownOptions(OWNER, options ?? {}, [
      "monitor",
      "minDelta",
      "patience",
      "mode",
      "strict",
      "checkFinite",
      "stoppingThreshold",
      "divergenceThreshold",
      "checkOnTrainEpochEnd",
      "verbose",
    ]);
    const { monitor, minDelta = 0, patience = 3, mode = "min" } = options ?? {};
    checkName(OWNER, "monitor", monitor);
    checkNumber(OWNER, "minDelta", minDelta);
    checkWhole(OWNER, "patience", patience);
    checkOneOf(OWNER, "mode", mode, ["min", "max"]);
    for (const name of ["stoppingThreshold", "divergenceThreshold"] as const) {
      if (options[name] !== undefined) checkNumber(OWNER, name, options[name], { least: -Infinity });
    }
    this.monitor = monitor;
    this.mode = mode;
    this.patience = patience;
    this.minDelta = mode === "min" ? -minDelta : minDelta;
    this.bestScore = mode === "min" ? Infinity : -Infinity;
    this.#options = { ...options };
  }

  override get order(): CallbackOrder {
    return "monitor";
  }
  override get stateKey(): string {
    return `EarlyStopping${JSON.stringify({ monitor: this.monitor, mode: this.mode })}`;
  }

  override stateDict(): StateDict {
    const { waitCount, stoppedEpoch, bestScore, patience } = this, ranks = this.#standings;
    const differ = ranks.some((one) => one.waitCount !== waitCount || one.bestScore !== bestScore);
    return { waitCount, stoppedEpoch, bestScore, patience, ...(differ && { ranks: [...ranks] }) };
  }
  override loadStateDict(state: StateDict): void {
    this.waitCount = state.waitCount as number;
    this.stoppedEpoch = state.stoppedEpoch as number;
    this.bestScore = state.bestScore as number;
    this.#standings = state.ranks as unknown as Standing[] | undefined ?? [];
    this.#isRestored = true;
  }

  override onTrainStart({ fabric }: Trainer): void {
    if (this.#isRestored && this.#standings.length === fabric.worldSize) {
      ({ waitCount: this.waitCount, bestScore: this.bestScore } = this.#standings[fabric.globalRank]);
    }
    this.#isRestored = false;
  }

  override async onTrainEpochEnd(trainer: Trainer): Promise<void> {
    if (this.#checksOnTrainEpochEnd(trainer)) await this.#check(trainer);
  }
  override async onValidationEnd(trainer: Trainer): Promise<void> {
    if (!this.#checksOnTrainEpochEnd(trainer)) await this.#check(trainer);
  }

  #checksOnTrainEpochEnd(trainer: Trainer): boolean {
    return this.#options.checkOnTrainEpochEnd ?? decidesAtTrainEpochEnd(trainer);
  }

  async #check(trainer: Trainer): Promise<void> {
    if (trainer.task !== "fit" || trainer.sanityChecking || trainer.fastDevRun > 0) return;
    const agreed = await trainer.agreedMetric(this.monitor);
    if (!agreed) return this.#reportMissing(trainer);
    // A rank that had no batch looks at what another has.
    const verdict = this.#judge(trainer.callbackMetrics[this.monitor] ?? agreed.value);
    const own = { reason: verdict.reason, waitCount: this.waitCount, bestScore: this.bestScore };
    const all = trainer.fabric.worldSize > 1
      ? await trainer.fabric.allGatherObjects(own, { purpose: "EarlyStopping" })
      : [own];
    this.#standings = all.map(({ waitCount, bestScore }) => ({ waitCount, bestScore }));
    const reason = all.map(({ reason }) => reason).find((one) => one !== "notStopped");
    if (verdict.text !== undefined && (verdict.reason !== "notStopped" || this.#options.verbose)) info(verdict.text);
    if (reason === undefined) return;
    trainer.shouldStop = true;
    this.stoppedEpoch = trainer.currentEpoch;
    this.stoppedReason = reason;
  }

  /** In the order: finite, stopping threshold, divergence threshold, improvement, patience. */
  #judge(value: number): Verdict {
    const { monitor, mode, bestScore, patience } = this;
    const { checkFinite = true, stoppingThreshold, divergenceThreshold } = this.#options;
    const better = (a: number, b: number) => mode === "min" ? a < b : a > b;
    const sign = mode === "min" ? "<" : ">", opposite = mode === "min" ? ">" : "<";
    const stop = (reason: StoppedReason, text: string): Verdict => ({
      reason,
      text: `${text} Signaling Trainer to stop.`,
    });
    if (checkFinite && !Number.isFinite(value)) {
      return stop(
        "nonFiniteMetric",
        `Monitored metric ${monitor} = ${value} is not finite. Previous best value was ${bestScore.toFixed(3)}.`,
      );
    }
    if (stoppingThreshold !== undefined && better(value, stoppingThreshold)) {
      return stop(
        "stoppingThreshold",
        `Stopping threshold reached: ${monitor} = ${value} ${sign} ${stoppingThreshold}.`,
      );
    }
    if (divergenceThreshold !== undefined && better(divergenceThreshold, value)) {
      return stop(
        "divergenceThreshold",
        `Divergence threshold reached: ${monitor} = ${value} ${opposite} ${divergenceThreshold}.`,
      );
    }
    if (better(value - this.minDelta, bestScore)) {
      const text = Number.isFinite(bestScore)
        ? `Metric ${monitor} improved by ${Math.abs(bestScore - value).toFixed(3)} >= min_delta = ${
          Math.abs(this.minDelta)
        }. New best score: ${value.toFixed(3)}`
        : `Metric ${monitor} improved. New best score: ${value.toFixed(3)}`;
      this.bestScore = value;
      this.waitCount = 0;
      return { reason: "notStopped", text };
    }
    this.waitCount++;
    if (this.waitCount < patience) return { reason: "notStopped", text: undefined };
    return stop(
      "patienceExhausted",
      `Monitored metric ${monitor} did not improve in the last ${this.waitCount} records. Best score: ${
        bestScore.toFixed(3)
      }.`,
    );
  }

  #reportMissing(trainer: Trainer): void {
    const known = Object.keys(trainer.callbackMetrics).map((name) => `\`${name}\``).join(", ") || "nothing was logged";
    const text =
      `Early stopping conditioned on metric \`${this.monitor}\` which is not available. Pass in or modify your \`EarlyStopping\` callback to use any of the following: ${known}`;
    if (this.#options.strict ?? true) throw new Error(text);
    warn(`early-stopping-metric:${this.monitor}`, text);
  }
}
