import type { CheckpointState } from "./checkpoint_state.ts";
import { collectCheckpoint } from "./checkpointing.ts";
import type { LightningDataModule } from "./lightning_data_module.ts";
import type { Batches, LightningModule, Loaders } from "./lightning_module.ts";
import type { Metrics } from "./logging/metric_connector.ts";
import { rehearse, type RehearseOptions } from "./optimization/rehearse.ts";
import { Run, type RunRequest } from "./run.ts";
import { throwIfStopped } from "./stopped_error.ts";
import { TrainerState } from "./trainer_state.ts";
import { warn } from "../core/messages.ts";
import { asUserCall } from "../core/user_call.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { writeCheckpoint } from "../checkpoint/write_checkpoint.ts";
import { snapshot } from "../tensor/read.ts";
import type { StateDict } from "../tensor/state.ts";

/** Options of {@linkcode Trainer.fit}. */
export interface FitOptions {
  /** Default: the data module's or the model's `trainDataloader`. */
  trainDataloaders?: Batches;
  valDataloaders?: Loaders;
  /** Where the loaders come from, instead of the two above. */
  datamodule?: LightningDataModule;
  /** A checkpoint to resume from: a path, `"best"` or `"last"`. Default: none. */
  ckptPath?: string;
}

/** Options of {@linkcode Trainer.validate}, `test` and `predict`. */
export interface EvaluateOptions {
  /** Default: the data module's or the model's. */
  dataloaders?: Loaders;
  datamodule?: LightningDataModule;
  /** A checkpoint whose weights are used: a path, `"best"` or `"last"`. Default: the weights as they are. */
  ckptPath?: string;
}

/** Options of {@linkcode Trainer.predict}. */
export interface PredictOptions extends EvaluateOptions {
  /** Collect what `predictStep` returns. Default: true. */
  returnPredictions?: boolean;
}

/** Options of {@linkcode Trainer.saveCheckpoint}. */
export interface SaveCheckpointOptions {
  /** Only the weights and hyperparameters. Default: false. */
  weightsOnly?: boolean;
  /**
   * Resolve as soon as the state is copied, and write while the training goes on. What goes wrong is thrown after the next training step, by
   * the next save or at the end of the run, whichever comes first. Default: false.
   */
  background?: boolean;
  /** Called on rank 0 when the file is there; what goes wrong in it counts as part of the writing. Default: none. */
  onWritten?: () => void | Promise<void>;
  /** Called on rank 0 if the file could not be written, before that is thrown. Default: none. */
  onFailed?: () => void;
  /** Rank 0 saves what it has without waiting for the others, as is right when an error is under way. Default: false. */
  thisRankOnly?: boolean;
}

/** How a fit ended. */
export type FitOutcome = "finished" | "interrupted";

/**
 * Trains, validates, tests and predicts with a {@linkcode LightningModule}: the loops, hooks, logging and checkpoints around what
 * the module says. Built on Fabric, which it gives as `trainer.fabric`.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * import { LightningModule } from "./lightning_module.ts";
 * class Line extends LightningModule {
 *   net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1], units: 1 })] });
 *   override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
 *     return this.run(this.net, x).sub(y).square().mean();
 *   }
 *   override configureOptimizers() {
 *     return tf.train.sgd(0.1);
 *   }
 * }
 * const batches = [[[[1], [2]], [[2], [4]]]].map((batch) => batch.map((rows) => tf.tensor(rows)));
 * const trainer = new Trainer({ accelerator: "wasm", maxEpochs: 2, logger: false, enableCheckpointing: false });
 * await trainer.fit(new Line(), batches);
 * console.assert(trainer.globalStep === 2);
 * await trainer.close();
 * ```
 */
export class Trainer extends TrainerState implements AsyncDisposable {
  // What it does

  /**
   * Trains a model. Blocks until a limit is reached, something asks to stop, or the user interrupts it: the first Ctrl-C or SIGTERM stops after
   * the step at hand, saves a checkpoint if checkpointing is on, and resolves with `"interrupted"`. After that no other fit of the program begins.
   *
   * @param train training data, or all of it as options
   * @throws StoppedError if an earlier fit of the program was interrupted; whatever a hook throws, after `onException` was called
   */
  fit(model: LightningModule, options?: FitOptions): Promise<FitOutcome>;
  fit(model: LightningModule, train?: Batches, val?: Loaders): Promise<FitOutcome>;
  async fit(model: LightningModule, train?: Batches | FitOptions, val?: Loaders): Promise<FitOutcome> {
    const options = toOptions<FitOptions>(train, "trainDataloaders");
    rejectUnknownOptions("fit", options, ["trainDataloaders", "valDataloaders", "datamodule", "ckptPath"]);
    throwIfStopped();
    const outcome = await this.#start({
      task: "fit",
      model,
      datamodule: options.datamodule,
      given: { train: options.trainDataloaders, validate: val ?? options.valDataloaders },
      ckptPath: options.ckptPath,
    });
    return outcome as FitOutcome;
  }

  /** Runs the validation loop. Returns the metrics of each loader, reduced over all ranks. */
  validate(model?: LightningModule, options?: EvaluateOptions | Loaders): Promise<Metrics[]> {
    return this.#evaluate("validate", model, options);
  }

  /** Runs the test loop. Returns the metrics of each loader, reduced over all ranks. */
  test(model?: LightningModule, options?: EvaluateOptions | Loaders): Promise<Metrics[]> {
    return this.#evaluate("test", model, options);
  }

  /**
   * Runs `predictStep` over the data. Returns what it gave for each batch, in the order of the data, of all ranks; for several loaders an array
   * of such arrays. The tensors are the caller's to dispose.
   */
  async predict(model?: LightningModule, given?: PredictOptions | Loaders): Promise<unknown[]> {
    const options = toOptions<PredictOptions>(given, "dataloaders");
    rejectUnknownOptions("predict", options, ["dataloaders", "datamodule", "ckptPath", "returnPredictions"]);
    const results = await this.#start({
      task: "predict",
      model: this.#modelFor("predict", model),
      datamodule: options.datamodule ?? (model || options.dataloaders ? undefined : this.last?.datamodule),
      given: { predict: options.dataloaders },
      ckptPath: options.ckptPath,
      collect: options.returnPredictions ?? true,
    }) as unknown[][];
    return results.length === 1 ? results[0] : results;
  }

  /**
   * Saves a checkpoint that a fit can resume from exactly. Every rank calls it.
   * @throws Error before there is a model to save; CheckpointError if it cannot be written
   */
  async saveCheckpoint(path: string, options: SaveCheckpointOptions = {}): Promise<void> {
    rejectUnknownOptions("saveCheckpoint", options, [
      ...["weightsOnly", "background", "thisRankOnly", "onWritten", "onFailed"],
    ]);
    const { weightsOnly = false, background = false, thisRankOnly = false, onWritten, onFailed } = options;
    const run = this.current ?? this.last;
    if (!run) {
      throw new Error("`trainer.saveCheckpoint` has no model to save: call `fit` or another method with one first");
    }
    if (thisRankOnly && !this.isGlobalZero) return;
    const finish = async (writing: Promise<void>) => {
      try {
        await writing;
        if (this.isGlobalZero) await onWritten?.();
      } catch (error) {
        if (this.isGlobalZero) onFailed?.();
        throw error;
      }
    };
    if (thisRankOnly) {
      const write = async () => {
        const checkpoint = await collectCheckpoint(run, { weightsOnly, thisRankOnly });
        await writeCheckpoint(path, await snapshot(checkpoint as StateDict) as StateDict);
      };
      return await finish(write());
    }
    await run.saves.settled();
    const save = async () =>
      await this.fabric.save(path, await collectCheckpoint(run, { weightsOnly, thisRankOnly }), {
        ...{ background, part: run.part },
        // Of a fit that is over nothing is left to do.
        isResumable: !weightsOnly && run.task === "fit" && run === this.current,
        needsSameRanks: run.progress.isMidEpoch,
      });
    if (!background) return await finish(save());
    try {
      await save();
    } catch (error) {
      onFailed?.();
      throw error;
    }
    run.saves.add(finish(this.fabric.saved()));
  }

  /** Resolves when the checkpoints that were saved in the background are written. @throws CheckpointError if one could not be */
  async checkpointsWritten(): Promise<void> {
    await (this.current ?? this.last)?.saves.settled();
  }

  /** What {@linkcode saveCheckpoint} saves; its tensors are the live ones. With `thisRankOnly` no other rank is asked. */
  async dumpCheckpoint(options: { weightsOnly?: boolean; thisRankOnly?: boolean } = {}): Promise<CheckpointState> {
    const run = this.current ?? this.last;
    if (!run) {
      throw new Error("`trainer.saveCheckpoint` has no model to save: call `fit` or another method with one first");
    }
    const { weightsOnly = false, thisRankOnly = false } = options;
    return await collectCheckpoint(run, { weightsOnly, thisRankOnly });
  }

  /**
   * Trains a few steps to try something, e.g. in `onFitStart`, and puts everything back as it was: weights, optimizers, random state. Nothing is
   * counted, logged or called but the model.
   */
  async rehearse(options: RehearseOptions): Promise<void> {
    if (!this.current) throw new Error("`rehearse` works during `fit`, e.g. in `onFitStart`");
    await rehearse(this.current, options);
  }

  /** Writes what loggers still have and leaves the other ranks. Happens by itself at the end of a program. */
  async close(): Promise<void> {
    try {
      await this.checkpointsWritten();
    } finally {
      await this.fabric.close();
    }
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #evaluate(
    task: "validate" | "test",
    model: LightningModule | undefined,
    given: EvaluateOptions | Loaders | undefined,
  ): Promise<Metrics[]> {
    const options = toOptions<EvaluateOptions>(given, "dataloaders");
    rejectUnknownOptions(task, options, ["dataloaders", "datamodule", "ckptPath"]);
    const wanted = this.#modelFor(task, model);
    let { ckptPath } = options;
    if (!model && ckptPath === undefined && this.checkpointCallback?.bestModelPath) {
      ckptPath = "best";
      warn(
        `${task}-best`,
        `\`.${task}()\` was called without a model. The best model of the previous \`fit\` call will be used. Pass \`ckptPath: "best"\` or "last", ` +
          "or the model itself for its weights as they are.",
      );
    }
    const datamodule = options.datamodule ?? (model || options.dataloaders ? undefined : this.last?.datamodule);
    return await this.#start({
      task,
      model: wanted,
      datamodule,
      given: { [task]: options.dataloaders },
      ckptPath,
    }) as Metrics[];
  }

  #modelFor(task: string, model: LightningModule | undefined): LightningModule {
    if (model) return model;
    if (this.last) return this.last.module;
    throw new TypeError(
      `\`trainer.${task}()\` without a model uses that of the last fit, but there was none: give it a model`,
    );
  }

  async #start(request: RunRequest): Promise<unknown> {
    if (this.current) {
      throw new Error(
        `\`trainer.${request.task}\` was called while \`trainer.${this.current.task}\` runs: \`await\` that first`,
      );
    }
    const run = new Run(this, request, {
      callbacks: this.ownCallbacks,
      progress: this.progress,
      before: this.last,
    });
    this.current = run;
    try {
      return await asUserCall(() => run.execute(), { always: true });
    } finally {
      this.last = run;
      this.current = undefined;
    }
  }
}

/** Options as they are; data as the option that holds it. */
function toOptions<O extends object>(given: unknown, data: keyof O): O {
  const isRecord = typeof given === "object" && given !== null && Object.getPrototypeOf(given) === Object.prototype &&
    !(Symbol.asyncIterator in given) && !(Symbol.iterator in given);
  return isRecord ? given as O : { [data]: given } as O;
}
