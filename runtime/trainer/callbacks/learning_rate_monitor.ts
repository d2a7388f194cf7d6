import { Callback } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { LightningOptimizer } from "../optimization/lightning_optimizer.ts";
import type { Trainer } from "../trainer.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkOneOf } from "./checks.ts";

/** Options of {@linkcode LearningRateMonitor}. */
export interface LearningRateMonitorOptions {
  /**
   * Log at every training step that is logged, or at every epoch. Default: each optimizer as its scheduler advances; without a scheduler
   * at every epoch.
   */
  loggingInterval?: "step" | "epoch";
}

/**
 * Gives the learning rates to the loggers, as `lr-Adam`, `lr-Adam-1`, …, or under the name in the scheduler's configuration.
 *
 * @example
 * ```ts
 * const monitor = new LearningRateMonitor({ loggingInterval: "step" });
 * console.assert(Object.keys(monitor.lastRates).length === 0);
 * ```
 */
export class LearningRateMonitor extends Callback {
  readonly #interval: "step" | "epoch" | undefined;
  /** What was logged last. */
  lastRates: Readonly<Record<string, number>> = {};

  /** @throws TypeError for an option that is unknown or impossible */
  constructor(options: LearningRateMonitorOptions = {}) {
    super();
    rejectUnknownOptions("LearningRateMonitor", options, ["loggingInterval"]);
    this.#interval = options.loggingInterval;
    checkOneOf("LearningRateMonitor", "loggingInterval", this.#interval, ["step", "epoch", undefined]);
  }

  /** @throws Error if the Trainer has no logger */
  override onTrainStart(trainer: Trainer): void {
    if (trainer.loggers.length > 0 || trainer.fastDevRun > 0) return;
    throw new Error(
      "Cannot use `LearningRateMonitor` callback with `Trainer` that has no logger: give it one with `new Trainer({ logger })`",
    );
  }

  override async onTrainBatchStart(trainer: Trainer, _module: LightningModule): Promise<void> {
    const { logEveryNSteps, globalStep } = trainer;
    if (logEveryNSteps === 0 || (globalStep + 1) % logEveryNSteps !== 0) return;
    await this.#log(trainer, "step");
  }

  override async onTrainEpochStart(trainer: Trainer): Promise<void> {
    await this.#log(trainer, "epoch");
  }

  async #log(trainer: Trainer, interval: "step" | "epoch"): Promise<void> {
    const rates: Record<string, number> = {};
    for (const { name, rate, interval: own } of named(trainer)) {
      if ((this.#interval ?? own) === interval) rates[name] = rate;
    }
    if (Object.keys(rates).length === 0) return;
    this.lastRates = rates;
    // Both intervals come before the step, and belong to the row that it will have.
    await trainer.logMetrics(rates, trainer.globalStep);
  }
}

interface NamedRate {
  name: string;
  rate: number;
  interval: "step" | "epoch";
}

function named({ optimizers, lrSchedulerConfigs }: Trainer): NamedRate[] {
  const used = new Map<string, number>();
  return optimizers.map((optimizer: LightningOptimizer, index) => {
    const config = lrSchedulerConfigs.find(({ optimizerIndex }) => optimizerIndex === index);
    const base = config?.name ?? `lr-${optimizer.name}`;
    const count = used.get(base) ?? 0;
    used.set(base, count + 1);
    return {
      name: count === 0 ? base : `${base}-${count}`,
      rate: optimizer.learningRate,
      interval: config?.interval ?? "epoch",
    };
  });
}
