import type { Callback } from "./callback.ts";
import { defaultCallbacks } from "./callbacks/default_callbacks.ts";
import { CheckpointCallback } from "./checkpoint_callback.ts";
import type { LightningDataModule } from "./lightning_data_module.ts";
import type { Batches, LightningModule } from "./lightning_module.ts";
import type { LoaderKind, ReadyLoader } from "./loaders.ts";
import type { Metrics } from "./logging/metric_connector.ts";
import type { AgreedMetric } from "./logging/monitored_metrics.ts";
import { canValidate } from "./loops/fit_loop.ts";
import type { LightningOptimizer } from "./optimization/lightning_optimizer.ts";
import type { SchedulerConfig } from "./optimization/optimizer_config.ts";
import { FitProgress } from "./progress.ts";
import { resolveTrainerOptions } from "./resolve_trainer_options.ts";
import type { Run } from "./run.ts";
import type { RunningStage, Stage } from "./stage.ts";
import type { TrainerConfig, TrainerOptions } from "./trainer_options.ts";
import { Fabric } from "../fabric/fabric.ts";
import { CSVLogger } from "../loggers/csv_logger.ts";
import type { Logger } from "../loggers/logger.ts";
import { decisive } from "../tensor/step_recording.ts";

/** What a {@linkcode Trainer} knows, during a run and after it. */
export abstract class TrainerState {
  /** The options with their defaults. */
  readonly config: TrainerConfig;
  /** What it is built on. */
  readonly fabric: Fabric;
  protected readonly ownCallbacks: readonly Callback[];
  protected readonly givenLoggers: readonly Logger[];
  protected readonly progress: FitProgress = new FitProgress();
  /** The run under way. */
  protected current: Run | undefined;
  /** The run before. */
  protected last: Run | undefined;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: TrainerOptions = {}) {
    this.config = resolveTrainerOptions(options);
    const { logger, defaultRootDir } = this.config;
    this.givenLoggers = logger === true ? [new CSVLogger(defaultRootDir)] : logger || [];
    this.ownCallbacks = defaultCallbacks(this.config, this.config.callbacks);
    this.fabric = new Fabric({ ...this.config.fabric, loggers: this.givenLoggers });
  }

  /** The model of the present or last run. @throws Error before the first */
  get module(): LightningModule {
    const run = this.current ?? this.last;
    if (run) return run.module;
    throw new Error("the Trainer has no model before `fit` or another method is given one");
  }
  get datamodule(): LightningDataModule | undefined {
    return (this.current ?? this.last)?.datamodule;
  }
  /** All callbacks in the order in which they are called, those of the model included. */
  get callbacks(): readonly Callback[] {
    return (this.current ?? this.last)?.callbacks ?? this.ownCallbacks;
  }
  get checkpointCallbacks(): readonly CheckpointCallback[] {
    return this.callbacks.filter((callback) => callback instanceof CheckpointCallback);
  }
  /** The first callback that saves checkpoints. */
  get checkpointCallback(): CheckpointCallback | undefined {
    return this.checkpointCallbacks[0];
  }
  get loggers(): readonly Logger[] {
    return this.givenLoggers;
  }
  get logger(): Logger | undefined {
    return this.givenLoggers[0];
  }
  /** The folder of the first logger's files, the same on all ranks; without one the root folder. Known once a run has started. */
  get logDir(): string {
    return (this.current ?? this.last)?.logDir ?? this.logger?.logDir ?? this.config.defaultRootDir;
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
    return decisive(() => this.progress.epoch);
  }
  /** Training steps taken, whatever the number of optimizers. */
  get globalStep(): number {
    return decisive(() => this.progress.globalStep);
  }
  /** Steps of all optimizers together. */
  get optimizerSteps(): number {
    return decisive(() => this.progress.optimizerSteps);
  }
  /** Batches trained, in all epochs. */
  get totalBatches(): number {
    return decisive(() => this.progress.totalBatches);
  }
  /** Batches of the epoch that are done. */
  get batchIdx(): number {
    return decisive(() => this.progress.batch);
  }
  /** Seconds trained, those before a checkpoint that was resumed from included. */
  get elapsedSeconds(): number {
    return decisive(() => this.progress.seconds);
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
    const run = this.current ?? this.last;
    return run !== undefined && canValidate(run);
  }
  /** True if a validation runs at the end of an epoch and at no other time. */
  get validatesOnceAnEpoch(): boolean {
    const { valCheckInterval, valCheckSeconds } = this.config;
    return valCheckSeconds === undefined && (valCheckInterval === undefined || valCheckInterval === "100%");
  }
  /** The checkpoint that the run was resumed from. */
  get ckptPath(): string | undefined {
    return (this.current ?? this.last)?.ckptPath;
  }

  /** What runs: undefined between runs. */
  get task(): Stage | undefined {
    return this.current?.task;
  }
  /** Which loop runs: undefined outside of them. */
  get stage(): RunningStage | undefined {
    return this.current?.stage;
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
    return decisive(() => this.current?.isLastBatch ?? false);
  }
  /** True once the user has ended a fit before its time. */
  get interrupted(): boolean {
    return (this.current ?? this.last)?.interrupted ?? false;
  }
  /** Set to true to end the training after the step at hand, once the least number of epochs and steps is done. */
  get shouldStop(): boolean {
    return this.current?.stop.shouldStop ?? false;
  }
  set shouldStop(wanted: boolean) {
    if (this.current) this.current.stop.shouldStop = wanted;
  }
  /** Batches whose gradients make one step. Callbacks may change it between epochs. */
  get accumulateGradBatches(): number {
    return this.current?.accumulateGradBatches ?? this.config.accumulateGradBatches;
  }
  set accumulateGradBatches(count: number) {
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(`\`accumulateGradBatches\` must be a positive integer, but got ${count}`);
    }
    if (this.current) this.current.accumulateGradBatches = count;
  }

  /**
   * Metrics by name, as of when they were last read: at every logging interval, before a validation and at the end of an epoch. What is
   * logged once an epoch gets its value after the `onTrainEpochEnd` of callbacks that do not monitor.
   */
  get callbackMetrics(): Readonly<Metrics> {
    return (this.current ?? this.last)?.metrics.callback ?? {};
  }
  /** The training step after which each of {@linkcode callbackMetrics} was computed. */
  get metricSteps(): Readonly<Metrics> {
    return (this.current ?? this.last)?.metrics.steps ?? {};
  }
  /** What the loggers were given last. */
  get loggedMetrics(): Readonly<Metrics> {
    return (this.current ?? this.last)?.metrics.logged ?? {};
  }
  /** What the progress bar shows. */
  get progressBarMetrics(): Readonly<Metrics> {
    return (this.current ?? this.last)?.metrics.bar ?? {};
  }
  /** Reads the newest values of the step from the device; {@linkcode callbackMetrics} has them afterwards. */
  async readMetrics(): Promise<Readonly<Metrics>> {
    await this.current?.metrics.readSteps();
    return this.callbackMetrics;
  }
  /**
   * What all ranks take one of {@linkcode callbackMetrics} for, so that they decide alike, also if one of them had no batch. Of the ranks whose
   * value is the newest it is that of the first, or what their values reduce to if they were logged with `syncDist`. Undefined if no rank has
   * any. Every rank has to call it: with several it sends a message and waits for the others.
   */
  async agreedMetric(name: string): Promise<AgreedMetric | undefined> {
    return await (this.current ?? this.last)?.metrics.agreed(name);
  }
  /** Gives metrics to the loggers, past `log`. Default step: that of the last training step. */
  async logMetrics(metrics: Readonly<Metrics>, step = Math.max(0, this.globalStep - 1)): Promise<void> {
    await this.fabric.logDict(metrics, step);
  }

  get optimizers(): readonly LightningOptimizer[] {
    return (this.current ?? this.last)?.optimizers ?? [];
  }
  get lrSchedulerConfigs(): readonly SchedulerConfig[] {
    return (this.current ?? this.last)?.schedulers ?? [];
  }
  /** Training batches an epoch, of the rank with the most; Infinity if it is not known, 0 before the loader is there. */
  get numTrainingBatches(): number {
    return sizes(this.current, "train")[0] ?? 0;
  }
  /** Validation batches of each loader, on this rank. */
  get numValBatches(): number[] {
    return sizes(this.current, "validate");
  }
  get numSanityValBatches(): number[] {
    return this.numValBatches.map((count) => Math.min(count, this.config.numSanityValSteps));
  }
  get numTestBatches(): number[] {
    return sizes(this.current, "test");
  }
  get numPredictBatches(): number[] {
    return sizes(this.current, "predict");
  }
  /** The training data of this rank, as far as it is there. */
  get trainDataloader(): Batches | undefined {
    return this.current?.loaders.known("train")[0]?.source;
  }
  get valDataloaders(): readonly Batches[] {
    return this.current?.loaders.known("validate").map(({ source }: ReadyLoader) => source) ?? [];
  }
  /** What `predictStep` gave on this rank so far, by loader and batch. */
  get predictions(): readonly unknown[][] {
    return (this.current ?? this.last)?.predictions ?? [];
  }
  /** Asks for the loaders again: for the training data at the next epoch. */
  reloadDataloaders(): void {
    for (const kind of ["train", "validate", "test", "predict"] as const) this.current?.loaders.forget(kind);
  }
  /** Training steps that this fit will take: for schedulers, in `configureOptimizers`. Loads the training data. Infinity for no end. */
  async estimatedSteppingBatches(): Promise<number> {
    if (!this.current) {
      throw new Error("`estimatedSteppingBatches` is known during `fit`, e.g. in `configureOptimizers`");
    }
    const [loader] = await this.current.loaders.get("train");
    const { maxEpochs, maxSteps } = this.config;
    const steps = Math.ceil((loader?.batches ?? 0) / this.accumulateGradBatches) * maxEpochs;
    return Math.min(Number.isNaN(steps) ? 0 : steps, maxSteps);
  }
  /** Prints on the first rank of each host. */
  print(...values: unknown[]): void {
    this.fabric.print(...values);
  }
}

function sizes(run: Run | undefined, kind: LoaderKind): number[] {
  return run?.loaders.known(kind).map(({ batches }) => batches) ?? [];
}
