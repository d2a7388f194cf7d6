import type { Callback } from "./callback.ts";
import { CheckpointCallback } from "./checkpoint_callback.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import { collectCheckpoint } from "./checkpointing.ts";
import { defaultCallbacks } from "./callbacks/default_callbacks.ts";
import type { LightningDataModule } from "./lightning_data_module.ts";
import type { Batches, LightningModule, Loaders } from "./lightning_module.ts";
import type { ReadyLoader } from "./loaders.ts";
import type { Metrics } from "./logging/metric_connector.ts";
import type { LightningOptimizer } from "./optimization/lightning_optimizer.ts";
import type { SchedulerConfig } from "./optimization/optimizer_config.ts";
import { rehearse, type RehearseOptions } from "./optimization/rehearse.ts";
import { canValidate } from "./loops/fit_loop.ts";
import { FitProgress } from "./progress.ts";
import { Run, type RunRequest } from "./run.ts";
import type { RunningStage, Stage } from "./stage.ts";
import { resolveTrainerOptions, type TrainerConfig, type TrainerOptions } from "./trainer_options.ts";
import { warn } from "../core/messages.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { Fabric } from "../fabric/fabric.ts";
import { writeCheckpoint } from "../checkpoint/write_checkpoint.ts";
import { snapshot } from "../tensor/read.ts";
import type { StateDict } from "../tensor/state.ts";
import { CSVLogger } from "../loggers/csv_logger.ts";
import type { Logger } from "../loggers/logger.ts";

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
  /** Go on while the file is written. What goes wrong is thrown by the next save or at the end of the run. Default: false. */
  background?: boolean;
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
export class Trainer implements AsyncDisposable {
  /** The options with their defaults. */
  readonly config: TrainerConfig;
  /** What it is built on. */
  readonly fabric: Fabric;
  readonly #ownCallbacks: readonly Callback[];
  readonly #loggers: readonly Logger[];
  #progress = new FitProgress();
  #run: Run | undefined;
  #last: Run | undefined;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: TrainerOptions = {}) {
    this.config = resolveTrainerOptions(options);
    const { logger, defaultRootDir } = this.config;
    this.#loggers = logger === true ? [new CSVLogger(defaultRootDir)] : logger || [];
    this.#ownCallbacks = defaultCallbacks(this.config, this.config.callbacks);
    this.fabric = new Fabric({ ...this.config.fabric, loggers: this.#loggers });
  }

  // What it does

  /**
   * Trains a model. Blocks until a limit is reached, something asks to stop, or the user interrupts it: the first Ctrl-C or SIGTERM stops after
   * the step at hand, saves a checkpoint if checkpointing is on, and resolves with `"interrupted"`.
   *
   * @param train training data, or all of it as options
   * @throws whatever a hook throws, after `onException` was called
   */
  fit(model: LightningModule, options?: FitOptions): Promise<FitOutcome>;
  fit(model: LightningModule, train?: Batches, val?: Loaders): Promise<FitOutcome>;
  async fit(model: LightningModule, train?: Batches | FitOptions, val?: Loaders): Promise<FitOutcome> {
    const options = toOptions<FitOptions>(train, "trainDataloaders");
    rejectUnknownOptions("fit", options, ["trainDataloaders", "valDataloaders", "datamodule", "ckptPath"]);
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
      datamodule: options.datamodule ?? (model || options.dataloaders ? undefined : this.#last?.datamodule),
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
    rejectUnknownOptions("saveCheckpoint", options, ["weightsOnly", "background", "thisRankOnly"]);
    const { weightsOnly = false, background = false, thisRankOnly = false } = options;
    const run = this.#run ?? this.#last;
    if (!run) {
      throw new Error("`trainer.saveCheckpoint` has no model to save: call `fit` or another method with one first");
    }
    if (thisRankOnly && !this.isGlobalZero) return;
    const checkpoint = await collectCheckpoint(run, { weightsOnly, thisRankOnly });
    if (thisRankOnly) await writeCheckpoint(path, await snapshot(checkpoint as StateDict) as StateDict);
    else await this.fabric.save(path, checkpoint, { background });
  }

  /** What {@linkcode saveCheckpoint} saves; its tensors are the live ones. With `thisRankOnly` no other rank is asked. */
  async dumpCheckpoint(options: { weightsOnly?: boolean; thisRankOnly?: boolean } = {}): Promise<CheckpointState> {
    const run = this.#run ?? this.#last;
    if (!run) {
      throw new Error("`trainer.saveCheckpoint` has no model to save: call `fit` or another method with one first");
    }
    const { weightsOnly = false, thisRankOnly = false } = options;
    return await collectCheckpoint(run, { weightsOnly, thisRankOnly });
  }

  /** Writes what loggers still have and leaves the other ranks. Happens by itself at the end of a program. */
  async close(): Promise<void> {
    await this.fabric.close();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What it knows

  /** The model of the present or last run. @throws Error before the first */
  get module(): LightningModule {
    const run = this.#run ?? this.#last;
    if (run) return run.module;
    throw new Error("the Trainer has no model before `fit` or another method is given one");
  }
  get datamodule(): LightningDataModule | undefined {
    return (this.#run ?? this.#last)?.datamodule;
  }
  /** All callbacks in the order in which they are called, those of the model included. */
  get callbacks(): readonly Callback[] {
    return (this.#run ?? this.#last)?.callbacks ?? this.#ownCallbacks;
  }
  get checkpointCallbacks(): readonly CheckpointCallback[] {
    return this.callbacks.filter((callback) => callback instanceof CheckpointCallback);
  }
  /** The first callback that saves checkpoints. */
  get checkpointCallback(): CheckpointCallback | undefined {
    return this.checkpointCallbacks[0];
  }
  get loggers(): readonly Logger[] {
    return this.#loggers;
  }
  get logger(): Logger | undefined {
    return this.#loggers[0];
  }
  /** The folder of the first logger's files, the same on all ranks; without one the root folder. Known once a run has started. */
  get logDir(): string {
    return (this.#run ?? this.#last)?.logDir ?? this.logger?.logDir ?? this.config.defaultRootDir;
  }
  get defaultRootDir(): string {
    return this.config.defaultRootDir;
  }
  get worldSize(): number {
    return this.fabric.worldSize;
  }
  get globalRank(): number {
    return this.fabric.globalRank;
  }
  get isGlobalZero(): boolean {
    return this.fabric.isGlobalZero;
  }

  /** The epoch, from 0; after a fit, how many are done. */
  get currentEpoch(): number {
    return this.#progress.epoch;
  }
  /** Training steps taken, whatever the number of optimizers. */
  get globalStep(): number {
    return this.#progress.globalStep;
  }
  /** Steps of all optimizers together. */
  get optimizerSteps(): number {
    return this.#progress.optimizerSteps;
  }
  /** Batches trained, in all epochs. */
  get totalBatches(): number {
    return this.#progress.totalBatches;
  }
  /** Batches of the epoch that are done. */
  get batchIdx(): number {
    return this.#progress.batch;
  }
  /** Seconds trained, those before a checkpoint that was resumed from included. */
  get elapsedSeconds(): number {
    return this.#progress.seconds;
  }
  get maxEpochs(): number {
    return this.config.maxEpochs;
  }
  get maxSteps(): number {
    return this.config.maxSteps;
  }
  get minEpochs(): number {
    return this.config.minEpochs;
  }
  get minSteps(): number {
    return this.config.minSteps;
  }

  /** Batches of a `fastDevRun`, 0 if it is none. */
  get fastDevRun(): number {
    return this.config.fastDevRun;
  }
  get logEveryNSteps(): number {
    return this.config.logEveryNSteps;
  }
  get checkValEveryNEpoch(): number | null {
    return this.config.checkValEveryNEpoch;
  }
  /** True if there is a `validationStep` and data for it. */
  get enableValidation(): boolean {
    const run = this.#run ?? this.#last;
    return run !== undefined && canValidate(run);
  }
  /** True if a validation runs at the end of an epoch and at no other time. */
  get validatesOnceAnEpoch(): boolean {
    const { valCheckInterval, valCheckSeconds } = this.config;
    return valCheckSeconds === undefined && (valCheckInterval === undefined || valCheckInterval === "100%");
  }
  /** The checkpoint that the run was resumed from. */
  get ckptPath(): string | undefined {
    return (this.#run ?? this.#last)?.ckptPath;
  }

  /** What runs: undefined between runs. */
  get task(): Stage | undefined {
    return this.#run?.task;
  }
  /** Which loop runs: undefined outside of them. */
  get stage(): RunningStage | undefined {
    return this.#run?.stage;
  }
  get training(): boolean {
    return this.stage === "train";
  }
  get validating(): boolean {
    return this.stage === "validate";
  }
  get testing(): boolean {
    return this.stage === "test";
  }
  get predicting(): boolean {
    return this.stage === "predict";
  }
  get sanityChecking(): boolean {
    return this.stage === "sanityCheck";
  }
  /** True while the last batch of an epoch is out. */
  get isLastBatch(): boolean {
    return this.#run?.isLastBatch ?? false;
  }
  /** True once the user has ended a fit before its time. */
  get interrupted(): boolean {
    return (this.#run ?? this.#last)?.interrupted ?? false;
  }
  /** Set to true to end the training after the step at hand, once the least number of epochs and steps is done. */
  get shouldStop(): boolean {
    return this.#run?.stop.shouldStop ?? false;
  }
  set shouldStop(wanted: boolean) {
    if (this.#run) this.#run.stop.shouldStop = wanted;
  }
  /** Batches whose gradients make one step. Callbacks may change it between epochs. */
  get accumulateGradBatches(): number {
    return this.#run?.accumulateGradBatches ?? this.config.accumulateGradBatches;
  }
  set accumulateGradBatches(count: number) {
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(`\`accumulateGradBatches\` must be a positive integer, but got ${count}`);
    }
    if (this.#run) this.#run.accumulateGradBatches = count;
  }

  /** Metrics by name, as of when they were last read: at the end of an epoch all, within one at every logging interval. */
  get callbackMetrics(): Readonly<Metrics> {
    return (this.#run ?? this.#last)?.metrics.callback ?? {};
  }
  /** The training step after which each of {@linkcode callbackMetrics} was computed. */
  get metricSteps(): Readonly<Metrics> {
    return (this.#run ?? this.#last)?.metrics.steps ?? {};
  }
  /** What the loggers were given last. */
  get loggedMetrics(): Readonly<Metrics> {
    return (this.#run ?? this.#last)?.metrics.logged ?? {};
  }
  /** What the progress bar shows. */
  get progressBarMetrics(): Readonly<Metrics> {
    return (this.#run ?? this.#last)?.metrics.bar ?? {};
  }
  /** Reads the newest values of the step from the device; {@linkcode callbackMetrics} has them afterwards. */
  async readMetrics(): Promise<Readonly<Metrics>> {
    await this.#run?.metrics.readSteps();
    return this.callbackMetrics;
  }
  /** Gives metrics to the loggers, past `log`. Default step: that of the last training step. */
  async logMetrics(metrics: Readonly<Metrics>, step = Math.max(0, this.globalStep - 1)): Promise<void> {
    await this.fabric.logDict(metrics, step);
  }

  get optimizers(): readonly LightningOptimizer[] {
    return (this.#run ?? this.#last)?.optimizers ?? [];
  }
  get lrSchedulerConfigs(): readonly SchedulerConfig[] {
    return (this.#run ?? this.#last)?.schedulers ?? [];
  }
  /** Training batches an epoch, on this rank; Infinity if it is not known, 0 before the loader is there. */
  get numTrainingBatches(): number {
    return sizes(this.#run, "train")[0] ?? 0;
  }
  /** Validation batches of each loader, on this rank. */
  get numValBatches(): number[] {
    return sizes(this.#run, "validate");
  }
  get numSanityValBatches(): number[] {
    return this.numValBatches.map((count) => Math.min(count, this.config.numSanityValSteps));
  }
  get numTestBatches(): number[] {
    return sizes(this.#run, "test");
  }
  get numPredictBatches(): number[] {
    return sizes(this.#run, "predict");
  }
  /** The training data of this rank, as far as it is there. */
  get trainDataloader(): Batches | undefined {
    return this.#run?.loaders.known("train")[0]?.source;
  }
  get valDataloaders(): readonly Batches[] {
    return this.#run?.loaders.known("validate").map(({ source }: ReadyLoader) => source) ?? [];
  }
  /** What `predictStep` gave on this rank so far, by loader and batch. */
  get predictions(): readonly unknown[][] {
    return (this.#run ?? this.#last)?.predictions ?? [];
  }
  /**
   * Trains a few steps to try something, e.g. in `onFitStart`, and puts everything back as it was: weights, optimizers, random state. Nothing is
   * counted, logged or called but the model.
   */
  async rehearse(options: RehearseOptions): Promise<void> {
    if (!this.#run) throw new Error("`rehearse` works during `fit`, e.g. in `onFitStart`");
    await rehearse(this.#run, options);
  }
  /** Asks for the loaders again: for the training data at the next epoch. */
  reloadDataloaders(): void {
    for (const kind of ["train", "validate", "test", "predict"] as const) this.#run?.loaders.forget(kind);
  }
  /** Training steps that this fit will take: for schedulers, in `configureOptimizers`. Loads the training data. Infinity for no end. */
  async estimatedSteppingBatches(): Promise<number> {
    if (!this.#run) throw new Error("`estimatedSteppingBatches` is known during `fit`, e.g. in `configureOptimizers`");
    const [loader] = await this.#run.loaders.get("train");
    const { maxEpochs, maxSteps } = this.config;
    const steps = Math.ceil((loader?.batches ?? 0) / this.accumulateGradBatches) * maxEpochs;
    return Math.min(Number.isNaN(steps) ? 0 : steps, maxSteps);
  }
  /** Prints on the first rank of each host. */
  print(...values: unknown[]): void {
    this.fabric.print(...values);
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
    const datamodule = options.datamodule ?? (model || options.dataloaders ? undefined : this.#last?.datamodule);
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
    if (this.#last) return this.#last.module;
    throw new TypeError(
      `\`trainer.${task}()\` without a model uses that of the last fit, but there was none: give it a model`,
    );
  }

  async #start(request: RunRequest): Promise<unknown> {
    if (this.#run) {
      throw new Error(
        `\`trainer.${request.task}\` was called while \`trainer.${this.#run.task}\` runs: \`await\` that first`,
      );
    }
    const run = new Run(this, request, {
      callbacks: this.#ownCallbacks,
      progress: this.#progress,
      before: this.#last,
    });
    this.#run = run;
    try {
      return await run.execute();
    } finally {
      this.#last = run;
      this.#run = undefined;
    }
  }
}

function sizes(run: Run | undefined, kind: "train" | "validate" | "test" | "predict"): number[] {
  return run?.loaders.known(kind).map(({ batches }) => batches) ?? [];
}

/** Options as they are; data as the option that holds it. */
function toOptions<O extends object>(given: unknown, data: keyof O): O {
  const isRecord = typeof given === "object" && given !== null && Object.getPrototypeOf(given) === Object.prototype &&
    !(Symbol.asyncIterator in given) && !(Symbol.iterator in given);
  return isRecord ? given as O : { [data]: given } as O;
}
