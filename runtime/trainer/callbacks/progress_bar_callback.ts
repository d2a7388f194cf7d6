import { Callback } from "../callback.ts";
import type { StepOutput } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { ProgressBar, ProgressBarOptions } from "../../progress/progress_bar.ts";
import { checkWhole } from "./checks.ts";

/** Options of {@linkcode ProgressBarCallback}. */
export interface ProgressBarCallbackOptions {
  /** Batches between two updates; 0 shows no bar. However small, the bar is redrawn at most ten times a second. Default: 1. */
  refreshRate?: number;
  /** Whether the bar of an epoch stays when the next one begins. Default: true. */
  leave?: boolean;
  /** Where and how it is drawn, for tests and for terminals of one's own. Default: standard error. */
  bar?: Pick<ProgressBarOptions, "stream" | "isTerminal" | "columns" | "refreshMs" | "lineMs" | "now">;
}

/** What a bar of evaluation counts. */
interface Evaluation {
  description: string;
  batches: readonly number[];
  leave: boolean;
}

/**
 * Shows how far the training is, with the metrics that were logged with `progBar: true`: `Epoch 3:  40%|████      | 240/600 [00:03<00:05,
 * 71.20it/s, train_loss=0.123]`. Validations show a bar of their own while they run. Rank 0 shows it; metrics are those that were read already, so that
 * no device waits for it. Where there is no terminal it is a line every few seconds.
 *
 * The Trainer has one unless `enableProgressBar` is false.
 *
 * @example
 * ```ts
 * const bar = new ProgressBarCallback({ refreshRate: 10 });
 * console.assert(bar.isEnabled);
 * ```
 */
export class ProgressBarCallback extends Callback {
  readonly #refreshRate: number;
  readonly #leave: boolean;
  readonly #options: ProgressBarCallbackOptions["bar"];
  #training: ProgressBar | undefined;
  #evaluating: ProgressBar | undefined;
  #loader = -1;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: ProgressBarCallbackOptions = {}) {
    super();
    rejectUnknownOptions("ProgressBarCallback", options, ["refreshRate", "leave", "bar"]);
    this.#refreshRate = options.refreshRate ?? 1;
    checkWhole("ProgressBarCallback", "refreshRate", this.#refreshRate);
    this.#leave = options.leave ?? true;
    this.#options = options.bar ?? {};
  }

  /** False if it shows nothing. */
  get isEnabled(): boolean {
    return this.#refreshRate > 0;
  }

  override onTrainEpochStart(trainer: Trainer): void {
    this.#endTraining(trainer, this.#leave);
    this.#startTraining(trainer);
  }

  override onTrainBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: StepOutput,
    _batch: unknown,
    batchIdx: number,
  ): void {
    // A run that resumes in the middle of an epoch has no start of it.
    if (!this.#training) this.#startTraining(trainer);
    this.#advance(this.#training, { done: batchIdx + 1, total: trainer.numTrainingBatches, trainer });
  }

  override onTrainEnd(trainer: Trainer): void {
    this.#endTraining(trainer, true);
  }

  override onValidationStart(trainer: Trainer): void {
    this.#loader = -1;
    // Before the first batch of an evaluation there is nothing to show, so that an empty one leaves no trace.
    if (!trainer.sanityChecking) this.#training?.setPostfix(trainer.progressBarMetrics);
  }
  override onValidationBatchStart(
    trainer: Trainer,
    _module: LightningModule,
    _batch: unknown,
    _batchIdx: number,
    dataloaderIdx: number,
  ): void {
    this.#startEvaluation(trainer, dataloaderIdx, {
      description: trainer.sanityChecking ? "Sanity Checking" : "Validation",
      batches: trainer.sanityChecking ? trainer.numSanityValBatches : trainer.numValBatches,
      leave: trainer.task !== "fit",
    });
  }
  override onValidationBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    _batch: unknown,
    batchIdx: number,
    dataloaderIdx: number,
  ): void {
    const batches = trainer.sanityChecking ? trainer.numSanityValBatches : trainer.numValBatches;
    this.#advance(this.#evaluating, { done: batchIdx + 1, total: batches[dataloaderIdx], trainer });
  }
  override onValidationEnd(trainer: Trainer): void {
    this.#endEvaluation(trainer.task !== "fit");
    this.#training?.setPostfix(trainer.progressBarMetrics);
    this.#training?.refresh();
  }

  override onTestStart(): void {
    this.#loader = -1;
  }
  override onTestBatchStart(
    trainer: Trainer,
    _module: LightningModule,
    _batch: unknown,
    _batchIdx: number,
    dataloaderIdx: number,
  ): void {
    const { numTestBatches: batches } = trainer;
    this.#startEvaluation(trainer, dataloaderIdx, { description: "Testing", batches, leave: true });
  }
  override onTestBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    _batch: unknown,
    batchIdx: number,
    dataloaderIdx: number,
  ): void {
    this.#advance(this.#evaluating, { done: batchIdx + 1, total: trainer.numTestBatches[dataloaderIdx], trainer });
  }
  override onTestEnd(): void {
    this.#endEvaluation(true);
  }

  override onPredictStart(): void {
    this.#loader = -1;
  }
  override onPredictBatchStart(
    trainer: Trainer,
    _module: LightningModule,
    _batch: unknown,
    _batchIdx: number,
    dataloaderIdx: number,
  ): void {
    const { numPredictBatches: batches } = trainer;
    this.#startEvaluation(trainer, dataloaderIdx, { description: "Predicting", batches, leave: true });
  }
  override onPredictBatchEnd(
    trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    _batch: unknown,
    batchIdx: number,
    dataloaderIdx: number,
  ): void {
    this.#advance(this.#evaluating, { done: batchIdx + 1, total: trainer.numPredictBatches[dataloaderIdx], trainer });
  }
  override onPredictEnd(): void {
    this.#endEvaluation(true);
  }

  override onException(): void {
    this.#endEvaluation(true);
    this.#training?.close();
    this.#training = undefined;
  }

  #startTraining(trainer: Trainer): void {
    if (!this.isEnabled) return;
    const total = trainer.numTrainingBatches;
    this.#training = trainer.fabric.progressBar({
      ...this.#options,
      description: `Epoch ${trainer.currentEpoch}`,
      total: Number.isFinite(total) ? total : undefined,
    });
  }

  #endTraining(trainer: Trainer, leave: boolean): void {
    // By now the metrics of the epoch are there.
    this.#training?.setPostfix({ ...trainer.progressBarMetrics });
    this.#training?.close({ leave });
    this.#training = undefined;
  }

  /** One bar for each loader. */
  #startEvaluation(trainer: Trainer, dataloaderIdx: number, { description, batches, leave }: Evaluation): void {
    if (!this.isEnabled || (this.#evaluating && this.#loader === dataloaderIdx)) return;
    this.#endEvaluation(leave);
    this.#loader = dataloaderIdx;
    const total = batches[dataloaderIdx];
    this.#evaluating = trainer.fabric.progressBar({
      ...this.#options,
      description: batches.length > 1 ? `${description} DataLoader ${dataloaderIdx}` : description,
      total: Number.isFinite(total) ? total : undefined,
    });
  }

  #advance(
    bar: ProgressBar | undefined,
    { done, total, trainer }: { done: number; total: number; trainer: Trainer },
  ): void {
    if (!bar || (done % this.#refreshRate !== 0 && done !== total)) return;
    bar.update(done - bar.count, { postfix: trainer.progressBarMetrics });
  }

  #endEvaluation(leave: boolean): void {
    this.#evaluating?.close({ leave });
    this.#evaluating = undefined;
  }
}
