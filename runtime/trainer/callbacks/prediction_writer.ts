import { Callback } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { checkOneOf } from "./checks.ts";

/** Options of {@linkcode PredictionWriter}. */
export interface PredictionWriterOptions {
  /** When to write. Default: `"batch"`. */
  writeInterval?: "batch" | "epoch" | "batchAndEpoch";
}

/** Where a batch of predictions comes from. */
export interface PredictedBatch {
  batch: unknown;
  /** Counted on this rank. */
  batchIdx: number;
  dataloaderIdx: number;
}

/**
 * Base of callbacks that write predictions to where they are wanted. A subclass overrides `writeOnBatchEnd`, `writeOnEpochEnd` or both.
 * Every rank writes its own: name files by `trainer.globalRank`. With several ranks, rank `r` of `R` has the batches `r`, `r + R`, ….
 *
 * @example
 * ```ts
 * import type { tf } from "weft";
 * class Lines extends PredictionWriter {
 *   lines: string[] = [];
 *   override async writeOnBatchEnd(_trainer: unknown, _module: unknown, prediction: unknown) {
 *     this.lines.push((await (prediction as tf.Tensor).data()).join(" "));
 *   }
 * }
 * console.assert(new Lines().writeInterval === "batch");
 * ```
 */
export abstract class PredictionWriter extends Callback {
  readonly writeInterval: "batch" | "epoch" | "batchAndEpoch";

  /** @throws TypeError for an option that is unknown or impossible, or if the method that it calls is missing */
  constructor(options: PredictionWriterOptions = {}) {
    super();
    rejectUnknownOptions("PredictionWriter", options, ["writeInterval"]);
    this.writeInterval = options.writeInterval ?? "batch";
    checkOneOf(new.target.name, "writeInterval", this.writeInterval, ["batch", "epoch", "batchAndEpoch"]);
    const base = PredictionWriter.prototype;
    for (
      const [method, needed] of [
        ["writeOnBatchEnd", this.#writesBatches],
        ["writeOnEpochEnd", this.#writesEpochs],
      ] as const
    ) {
      if (!needed || this[method] !== base[method]) continue;
      throw new TypeError(
        `\`${new.target.name}\` must have a method \`${method}\` to write every ${this.writeInterval}`,
      );
    }
  }

  /** Writes what `predictStep` gave for a batch. Its tensors are freed afterwards. */
  writeOnBatchEnd(
    _trainer: Trainer,
    _module: LightningModule,
    _prediction: unknown,
    _from: PredictedBatch,
  ): void | Promise<void> {}

  /** Writes everything that this rank predicted, by loader and batch. */
  writeOnEpochEnd(
    _trainer: Trainer,
    _module: LightningModule,
    _predictions: readonly (readonly unknown[])[],
  ): void | Promise<void> {}

  override async onPredictBatchEnd(
    trainer: Trainer,
    module: LightningModule,
    outputs: unknown,
    batch: unknown,
    batchIdx: number,
    dataloaderIdx: number,
  ): Promise<void> {
    if (!this.#writesBatches) return;
    await this.writeOnBatchEnd(trainer, module, outputs, { batch, batchIdx, dataloaderIdx });
  }

  /** @throws Error if `predict` was told not to collect what is to be written */
  override async onPredictEpochEnd(trainer: Trainer, module: LightningModule): Promise<void> {
    if (!this.#writesEpochs) return;
    const { predictions } = trainer;
    if (predictions.every((batches) => batches.length === 0) && trainer.numPredictBatches.some((count) => count > 0)) {
      throw new Error(
        `\`${this.constructor.name}\` writes at the end of the epoch, but \`predict\` was given { returnPredictions: false }: leave that out, ` +
          'or write every "batch"',
      );
    }
    await this.writeOnEpochEnd(trainer, module, predictions);
  }

  get #writesBatches(): boolean {
    return this.writeInterval !== "epoch";
  }
  get #writesEpochs(): boolean {
    return this.writeInterval !== "batch";
  }
}
