import { Callback } from "../callback.ts";
import type { StepOutput } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import { batchSizeOf } from "../logging/batch_size.ts";
import type { Trainer } from "../trainer.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { Throughput } from "./throughput.ts";

/** Options of {@linkcode ThroughputMonitor}. */
export interface ThroughputMonitorOptions {
  /** Samples in a batch. Default: the first dimension of its first tensor. */
  batchSize?: (batch: unknown) => number;
  /** Tokens, pixels or other parts in a batch. Default: not counted. */
  length?: (batch: unknown) => number;
  /** How many batches the rates are over. Default: 100. */
  windowSize?: number;
  /** A clock in milliseconds. Default: performance.now. */
  now?: () => number;
}

type MonitoredStage = "train" | "validate" | "test" | "predict";

/** Counters of one stage. */
interface Meter {
  throughput: Throughput;
  startedAt: number;
  batches: number;
  samples: number;
  items: number;
}

/**
 * Gives the loggers, at every logging interval, how much is done a second: `train/device/samples_per_sec` and `…/batches_per_sec` of this rank
 * (`items_per_sec` with `length`), the same of all ranks without `device/`, and `train/time`, `train/batches` and `train/samples` so far. Nothing waits for a device:
 * where one computes by itself, the rates are right over a window, not for a single step.
 *
 * @example
 * ```ts
 * const monitor = new ThroughputMonitor({ windowSize: 50 });
 * console.assert(monitor.stateDict() === undefined);
 * ```
 */
export class ThroughputMonitor extends Callback {
  readonly #options: ThroughputMonitorOptions;
  readonly #now: () => number;
  readonly #meters = new Map<MonitoredStage, Meter>();

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: ThroughputMonitorOptions = {}) {
    super();
    rejectUnknownOptions("ThroughputMonitor", options, ["batchSize", "length", "windowSize", "now"]);
    for (const name of ["batchSize", "length"] as const) {
      if (options[name] === undefined || typeof options[name] === "function") continue;
      throw new TypeError(
        `\`ThroughputMonitor({ ${name} })\` must be a function of a batch, but got ${typeof options[name]}`,
      );
    }
    new Throughput({ windowSize: options.windowSize });
    this.#options = { ...options };
    this.#now = options.now ?? (() => performance.now());
  }

  override onTrainStart(): void {
    this.#begin("train");
  }
  override async onTrainBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: StepOutput,
    batch: unknown,
  ): Promise<void> {
    if (batch === undefined) return;
    // Rows come with training steps, not with the batches of a window.
    const due = trainer.logEveryNSteps > 0 && trainer.globalStep % trainer.logEveryNSteps === 0;
    await this.#count(trainer, "train", { batch, due, step: Math.max(0, trainer.globalStep - 1) });
  }
  override onValidationStart(trainer: Trainer): void {
    if (!trainer.sanityChecking) this.#begin("validate");
  }
  override async onValidationBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    batch: unknown,
  ): Promise<void> {
    if (!trainer.sanityChecking) await this.#countEvaluation(trainer, "validate", batch);
  }
  override onTestStart(): void {
    this.#begin("test");
  }
  override async onTestBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    batch: unknown,
  ): Promise<void> {
    await this.#countEvaluation(trainer, "test", batch);
  }
  override onPredictStart(): void {
    this.#begin("predict");
  }
  override async onPredictBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    batch: unknown,
  ): Promise<void> {
    await this.#countEvaluation(trainer, "predict", batch);
  }

  #begin(stage: MonitoredStage): void {
    const throughput = new Throughput({ windowSize: this.#options.windowSize });
    this.#meters.set(stage, { throughput, startedAt: this.#now(), batches: 0, samples: 0, items: 0 });
  }

  #countEvaluation(trainer: Trainer, stage: MonitoredStage, batch: unknown): Promise<void> {
    const batches = (this.#meters.get(stage)?.batches ?? 0) + 1;
    const due = trainer.logEveryNSteps > 0 && batches % trainer.logEveryNSteps === 0;
    return this.#count(trainer, stage, { batch, due, step: batches - 1 });
  }

  async #count(
    trainer: Trainer,
    stage: MonitoredStage,
    { batch, due, step }: { batch: unknown; due: boolean; step: number },
  ): Promise<void> {
    const meter = this.#meters.get(stage);
    if (!meter) return;
    const { batchSize = batchSizeOf, length } = this.#options;
    meter.batches++;
    meter.samples += batchSize(batch);
    if (length) meter.items += length(batch);
    const time = (this.#now() - meter.startedAt) / 1000;
    meter.throughput.add({
      time,
      batches: meter.batches,
      samples: meter.samples,
      items: length ? meter.items : undefined,
    });
    const rates = meter.throughput.rates();
    if (!due || !rates) return;
    const row: Record<string, number> = {
      [`${stage}/time`]: time,
      [`${stage}/batches`]: meter.batches,
      [`${stage}/samples`]: meter.samples,
    };
    for (const [what, rate] of Object.entries(rates)) {
      row[`${stage}/device/${what}_per_sec`] = rate;
      // Ranks train in step, so that they do as much.
      if (trainer.worldSize > 1) row[`${stage}/${what}_per_sec`] = rate * trainer.worldSize;
    }
    await trainer.logMetrics(row, step);
  }
}
