import type { Callback, HookResult, StepOutput } from "./callback.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import { Hyperparameters, type SaveHyperparametersOptions } from "./hyperparameters.ts";
import { loadFromCheckpoint, type LoadFromCheckpointOptions } from "./load_from_checkpoint.ts";
import { type Loggable } from "./logging/loggable.ts";
import type { LogOptions } from "./logging/log_options.ts";
import type { GradientClipping, ModuleHost } from "./module_host.ts";
import type { LightningOptimizer } from "./optimization/lightning_optimizer.ts";
import type { OptimizerConfiguration, SchedulerLike } from "./optimization/optimizer_config.ts";
import type { Stage } from "./stage.ts";
import type { Trainer } from "./trainer.ts";
import type { Fabric } from "../fabric/fabric.ts";
import type { Device } from "../fabric/device.ts";
import { Module } from "../nn/module.ts";
import { zeroGradients } from "../tensor/gradients.ts";
import { stepRecorder } from "../tensor/step_recording.ts";
import { tf } from "../tensor/tf.ts";

/** A source of batches: a DataLoader, an array of batches, or anything else that can be iterated over again and again. */
// deno-lint-ignore no-explicit-any
export type Batches = AsyncIterable<any> | Iterable<any>;

/** One loader, or an array of several DataLoaders or other asynchronous sources. */
export type Loaders = Batches | readonly Batches[];

let setHost: (module: LightningModule, host: ModuleHost | undefined) => void;

/** Ties a module to the Trainer that runs it. Not for users. */
export function attachModule(module: LightningModule, host: ModuleHost | undefined): void {
  setHost(module, host);
}

/**
 * A model together with how it is trained: `trainingStep`, `configureOptimizers` and, if wanted, validation, data and hooks. The
 * {@linkcode Trainer} runs it; a loop of one's own with Fabric can too, as every method is a plain one.
 *
 * `H` is the type of its hyperparameters, see {@linkcode saveHyperparameters}.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * class Line extends LightningModule<{ learningRate: number }> {
 *   net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1], units: 1 })] });
 *   constructor(hparams = { learningRate: 0.1 }) {
 *     super();
 *     this.saveHyperparameters(hparams);
 *   }
 *   override forward(x: tf.Tensor) {
 *     return this.run(this.net, x);
 *   }
 *   override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
 *     const loss = this.forward(x).sub(y).square().mean();
 *     this.log("train_loss", loss, { progBar: true });
 *     return loss;
 *   }
 *   override configureOptimizers() {
 *     return tf.train.sgd(this.hparams.learningRate);
 *   }
 * }
 * console.assert(new Line().hparams.learningRate === 0.1);
 * ```
 */
// deno-lint-ignore no-explicit-any
export class LightningModule<H extends object = any> extends Module {
  #host: ModuleHost | undefined;
  #fabric: Fabric | undefined;
  readonly #hyperparameters = new Hyperparameters<H>("LightningModule");

  static {
    setHost = (module, host) => void (module.#host = host);
  }

  /** False for manual optimization: `trainingStep` then calls `manualBackward` and the optimizers itself. Default: true. */
  automaticOptimization = true;
  /** Whether a checkpoint must fit the model exactly when it is resumed from. Default: true. */
  strictLoading = true;
  /** A batch for the model summary, which then shows the sizes of inputs and outputs. Default: none. */
  exampleInputArray: tf.Tensor | readonly tf.Tensor[] | undefined = undefined;
  /** True if every host has to prepare its data, false if one for all. Default: true. */
  prepareDataPerNode = true;

  // What it knows

  /** The Trainer that runs it. @throws Error if none does */
  get trainer(): Trainer {
    if (this.#host) return this.#host.trainer;
    throw new Error(
      `\`${this.constructor.name}\` is not attached to a \`Trainer\`: it is while \`trainer.fit(model)\` or another of its methods runs it`,
    );
  }

  /** True while a Trainer runs it. */
  get isAttached(): boolean {
    return this.#host !== undefined;
  }

  /** The Trainer's Fabric, or the one that was set, with which `log` and `print` work in a loop of one's own. */
  get fabric(): Fabric | undefined {
    return this.#host?.trainer.fabric ?? this.#fabric;
  }
  set fabric(fabric: Fabric | undefined) {
    this.#fabric = fabric;
  }

  /** The epoch, from 0. 0 without a Trainer. */
  get currentEpoch(): number {
    return this.#host?.trainer.currentEpoch ?? 0;
  }
  /** Training steps taken. 0 without a Trainer. */
  get globalStep(): number {
    return this.#host?.trainer.globalStep ?? 0;
  }
  /** This rank among all. 0 without a Trainer or Fabric. */
  get globalRank(): number {
    return this.fabric?.globalRank ?? 0;
  }
  /** Where it computes. @throws Error without a Trainer or Fabric, or before they have started */
  get device(): Device {
    if (!this.fabric) {
      throw new Error(`\`${this.constructor.name}\` has no device before a Trainer or a Fabric runs it`);
    }
    return this.fabric.device;
  }

  // Hyperparameters

  /**
   * Notes hyperparameters: they are in `hparams`, in every checkpoint, and are given to the loggers. `loadFromCheckpoint` gives them to
   * the constructor, which should take them as its one argument.
   * @throws TypeError if `hparams` is not a record
   */
  saveHyperparameters(hparams: H, options: SaveHyperparametersOptions = {}): void {
    this.#hyperparameters.save(hparams, options);
  }
  /** The hyperparameters; may be changed. @throws Error before `saveHyperparameters` */
  get hparams(): H {
    return this.#hyperparameters.current;
  }
  /** The hyperparameters as they were saved, frozen. */
  get hparamsInitial(): Readonly<H> {
    return this.#hyperparameters.initial;
  }
  /** True if the loggers are given the hyperparameters. */
  get logsHyperparameters(): boolean {
    return this.#hyperparameters.toLogger;
  }
  /** True once `saveHyperparameters` was called. */
  get hasHyperparameters(): boolean {
    return this.#hyperparameters.isSaved;
  }

  /**
   * A model with the weights and hyperparameters of a checkpoint.
   * @param options `hparams` replaces single hyperparameters; `strict: false` lets weights be missing or left over
   * @throws CheckpointError if the file is missing or damaged; Error if it does not fit the class
   */
  static async loadFromCheckpoint<M extends LightningModule>(
    // deno-lint-ignore no-explicit-any
    this: new (hparams?: any) => M,
    path: string,
    options: LoadFromCheckpointOptions = {},
  ): Promise<M> {
    return await loadFromCheckpoint(this, path, options);
  }

  // What a user writes

  /** Computes the loss of a batch, on its own or as `{ loss, … }`. null skips the batch. */
  trainingStep(_batch: unknown, _batchIdx: number): StepOutput | Promise<StepOutput> {
    throw new Error(`\`${this.constructor.name}\` has no \`trainingStep\`: write one that returns the loss of a batch`);
  }
  /** Looks at a batch of validation data, usually to `log`. What it returns goes to `onValidationBatchEnd`. */
  validationStep(_batch: unknown, _batchIdx: number, _dataloaderIdx: number): unknown {
    return undefined;
  }
  testStep(_batch: unknown, _batchIdx: number, _dataloaderIdx: number): unknown {
    return undefined;
  }
  /** What `trainer.predict` collects. Default: `forward` of the batch, or of its first part. */
  predictStep(batch: unknown, _batchIdx: number, _dataloaderIdx: number): unknown {
    return this.forward(Array.isArray(batch) ? batch[0] : batch);
  }
  /** Optimizers and learning-rate schedulers. Called once a fit. */
  configureOptimizers(): OptimizerConfiguration | Promise<OptimizerConfiguration> {
    throw new Error(`\`${this.constructor.name}\` has no \`configureOptimizers\`: write one that returns an optimizer`);
  }
  /** Callbacks that belong to the model. They replace those of the same class in the Trainer. */
  configureCallbacks(): Callback | readonly Callback[] {
    return [];
  }
  /** Makes layers that were not made in the constructor. May be called more than once. */
  configureModel(): HookResult {}

  /** Downloads and other work that one rank a host does for all. State set here is not on the other ranks: use `setup`. */
  prepareData(): HookResult {}
  setup(_stage: Stage): HookResult {}
  teardown(_stage: Stage): HookResult {}
  trainDataloader(): Batches | Promise<Batches> {
    throw new Error(`\`${this.constructor.name}\` has no \`trainDataloader\``);
  }
  valDataloader(): Loaders | Promise<Loaders> {
    throw new Error(`\`${this.constructor.name}\` has no \`valDataloader\``);
  }
  testDataloader(): Loaders | Promise<Loaders> {
    throw new Error(`\`${this.constructor.name}\` has no \`testDataloader\``);
  }
  predictDataloader(): Loaders | Promise<Loaders> {
    throw new Error(`\`${this.constructor.name}\` has no \`predictDataloader\``);
  }

  // Hooks

  onFitStart(): HookResult {}
  onFitEnd(): HookResult {}
  onTrainStart(): HookResult {}
  onTrainEnd(): HookResult {}
  onTrainEpochStart(): HookResult {}
  onTrainEpochEnd(): HookResult {}
  /** -1 skips the rest of the epoch. */
  onTrainBatchStart(_batch: unknown, _batchIdx: number): void | -1 | Promise<void | -1> {}
  /** `outputs` and `batch` are undefined on a rank that has run out of batches while others have some. */
  onTrainBatchEnd(_outputs: StepOutput, _batch: unknown, _batchIdx: number): HookResult {}
  onValidationStart(): HookResult {}
  onValidationEnd(): HookResult {}
  onValidationEpochStart(): HookResult {}
  onValidationEpochEnd(): HookResult {}
  onValidationBatchStart(_batch: unknown, _batchIdx: number, _dataloaderIdx: number): HookResult {}
  onValidationBatchEnd(_outputs: unknown, _batch: unknown, _batchIdx: number, _dataloaderIdx: number): HookResult {}
  onTestStart(): HookResult {}
  onTestEnd(): HookResult {}
  onTestEpochStart(): HookResult {}
  onTestEpochEnd(): HookResult {}
  onTestBatchStart(_batch: unknown, _batchIdx: number, _dataloaderIdx: number): HookResult {}
  onTestBatchEnd(_outputs: unknown, _batch: unknown, _batchIdx: number, _dataloaderIdx: number): HookResult {}
  onPredictStart(): HookResult {}
  onPredictEnd(): HookResult {}
  onPredictEpochStart(): HookResult {}
  onPredictEpochEnd(): HookResult {}
  onPredictBatchStart(_batch: unknown, _batchIdx: number, _dataloaderIdx: number): HookResult {}
  onPredictBatchEnd(_outputs: unknown, _batch: unknown, _batchIdx: number, _dataloaderIdx: number): HookResult {}

  /** Puts the model into eval mode. Override it to keep parts in train mode. */
  onValidationModelEval(): HookResult {
    this.eval();
  }
  /** Called instead of the Trainer's own way back, which restores every module's mode, if it is overridden. */
  onValidationModelTrain(): HookResult {
    this.train();
  }
  /** Forgets the gradients before validation. Not called during an accumulation window. */
  onValidationModelZeroGrad(): HookResult {
    zeroGradients(this.parameters());
  }
  onTestModelEval(): HookResult {
    this.eval();
  }
  onTestModelTrain(): HookResult {
    this.train();
  }
  onPredictModelEval(): HookResult {
    this.eval();
  }
  onPredictModelTrain(): HookResult {
    this.train();
  }

  onBeforeZeroGrad(_optimizer: LightningOptimizer): HookResult {}
  onBeforeBackward(_loss: tf.Tensor): HookResult {}
  onAfterBackward(): HookResult {}
  onBeforeOptimizerStep(_optimizer: LightningOptimizer): HookResult {}
  /** Adds to a checkpoint before it is written. */
  onSaveCheckpoint(_checkpoint: CheckpointState): HookResult {}
  onLoadCheckpoint(_checkpoint: CheckpointState): HookResult {}

  onBeforeBatchTransfer(batch: unknown, _dataloaderIdx: number): unknown {
    return batch;
  }
  /** Makes tensors of what is in the process's memory. Default: HostTensors become tensors, the rest stays. */
  transferBatchToDevice(batch: unknown, _device: Device, _dataloaderIdx: number): unknown {
    return this.fabric ? this.fabric.toDevice(batch) : batch;
  }
  onAfterBatchTransfer(batch: unknown, _dataloaderIdx: number): unknown {
    return batch;
  }

  // Parts of automatic optimization that may be overridden

  /** Computes gradients. They are averaged over the ranks when it resolves. */
  async backward(loss: tf.Tensor): Promise<void> {
    if (!this.fabric) throw new Error("`backward` needs a Trainer or a Fabric: set `model.fabric`");
    await this.fabric.backward(loss);
  }
  /** Takes a step. `closure` runs `trainingStep`, `backward` and clipping, and must be called. */
  async optimizerStep(
    _epoch: number,
    _batchIdx: number,
    optimizer: LightningOptimizer,
    closure: () => Promise<void>,
  ): Promise<void> {
    await closure();
    await optimizer.original.step();
  }
  optimizerZeroGrad(_epoch: number, _batchIdx: number, optimizer: LightningOptimizer): HookResult {
    optimizer.original.zeroGrad();
  }
  /** Advances a scheduler; `metric` is given to those that need one. */
  lrSchedulerStep(scheduler: SchedulerLike, metric: number | undefined): HookResult {
    if (metric === undefined) scheduler.step();
    else scheduler.step(metric);
  }
  async configureGradientClipping(optimizer: LightningOptimizer, options: GradientClipping): Promise<void> {
    await this.clipGradients(optimizer, options);
  }

  // What a user calls

  /**
   * Logs a value: to the loggers, to the progress bar, and to `trainer.callbackMetrics`, which callbacks monitor. Nothing is read from
   * the device here. In a loop of one's own it goes to `fabric.log`, and nowhere without `fabric`.
   *
   * @throws TypeError for a value that is no number, or options that do not fit; Error inside hooks where it means nothing
   */
  log(name: string, value: Loggable, options: LogOptions = {}): void {
    this.logDict({ [name]: value }, options);
  }
  /** Logs several values, see {@linkcode log}. */
  logDict(metrics: Readonly<Record<string, Loggable>>, options: LogOptions = {}): void {
    if (this.#host) return this.#host.log(this as unknown as LightningModule, metrics, options);
    if (!this.#fabric || options.logger === false) return;
    const plain = Object.fromEntries(
      Object.entries(metrics).filter(([, value]) => typeof value === "number" || value instanceof tf.Tensor),
    );
    void this.#fabric.logDict(plain as Record<string, number | tf.Tensor>);
  }
  /** Prints on the first rank of each host. */
  print(...values: unknown[]): void {
    if (this.fabric) this.fabric.print(...values);
    else console.log(...values);
  }

  /** The optimizers, ready to use in manual optimization: the optimizer if there is one, else an array. */
  optimizers(): LightningOptimizer | LightningOptimizer[] {
    const all = this.#needHost("optimizers").optimizers();
    return all.length === 1 ? all[0] : [...all];
  }
  /** The schedulers: undefined if there is none, the scheduler if there is one, else an array. */
  lrSchedulers(): SchedulerLike | SchedulerLike[] | undefined {
    stepRecorder()?.fail("asks for the schedulers, which are stepped besides what is recorded");
    const all = this.#needHost("lrSchedulers").lrSchedulers().map(({ scheduler }) => scheduler);
    return all.length > 1 ? all : all[0];
  }
  /** Computes the gradients of a loss in manual optimization, averaged over the ranks when it resolves. */
  async manualBackward(loss: tf.Tensor): Promise<void> {
    if (this.automaticOptimization) {
      throw new Error(
        "`manualBackward` is for manual optimization: set `this.automaticOptimization = false` in the constructor, or return the loss from `trainingStep`",
      );
    }
    await this.#needHost("manualBackward").manualBackward(loss);
  }
  /** Clips the gradients of an optimizer's parameters. Does nothing without a value. */
  async clipGradients(optimizer: LightningOptimizer, options: GradientClipping): Promise<void> {
    await this.#needHost("clipGradients").clipGradients(optimizer, options);
  }
  /** Lets only the parameters of `optimizer` be trained until {@linkcode untoggleOptimizer}, for models with several optimizers. */
  toggleOptimizer(optimizer: LightningOptimizer): void {
    for (const other of this.#needHost("toggleOptimizer").optimizers()) {
      if (other === optimizer) continue;
      for (const variable of other.parameters) {
        if (optimizer.parameters.includes(variable) || !variable.trainable) continue;
        variable.trainable = false;
        this.#toggled.add(variable);
      }
    }
  }
  untoggleOptimizer(_optimizer: LightningOptimizer): void {
    for (const variable of this.#toggled) variable.trainable = true;
    this.#toggled.clear();
  }
  readonly #toggled = new Set<tf.Variable>();

  #needHost(method: string): ModuleHost {
    if (this.#host) return this.#host;
    throw new Error(`\`${this.constructor.name}.${method}\` needs the \`Trainer\` that runs the model, and none does`);
  }
}
