import type { StateFilter } from "./checkpoint_state.ts";
import { applyState, collectState } from "./checkpoint_state.ts";
import { callCallbacks } from "./call_callbacks.ts";
import { compileForFabric, type CompileOptions } from "./compile.ts";
import { CheckpointRecord, checkpointRecordFile } from "./checkpoint_record.ts";
import type { Device } from "./device.ts";
import { FabricModules } from "./fabric_modules.ts";
import type { FabricModule } from "./fabric_module.ts";
import type { FabricOptimizer } from "./fabric_optimizer.ts";
import { type JoinableBatches, joinBatches } from "./join_batches.ts";
import { MetricLog } from "./metric_log.ts";
import type { FabricConfig, FabricOptions } from "./options.ts";
import { resolveFabricOptions } from "./options.ts";
import { plannedWorldSize, type RankContext, startRank } from "./rank_context.ts";
import { type SetupDataloadersOptions, shardLoader } from "./setup_dataloaders.ts";
import { deliverResult, superviseOwnScript } from "./supervise.ts";
import { listenForStop, type StopRequest } from "./stop_signals.ts";
import { allGatherTree, allReduceTree, type Gathered } from "./tree_collectives.ts";
import { readCheckpoint } from "../checkpoint/read_checkpoint.ts";
import { writeCheckpoint } from "../checkpoint/write_checkpoint.ts";
import type { RankFlag } from "../../strategies/rank_flags.ts";
import { describeSlowest } from "../../strategies/rank_waits.ts";
import type { PurposeOptions, ReduceOp, RootOptions } from "../comm/process_group.ts";
import { atCaller, pointAtCaller } from "../core/at_caller.ts";
import { activity } from "../core/activity.ts";
import { asUserCall } from "../core/user_call.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import type { DataLoader } from "../data/data_loader.ts";
import type { ClusterInfo } from "../environments/cluster_info.ts";
import { detectCluster } from "../environments/detect_cluster.ts";
import { processEnvironment } from "../environments/process_environment.ts";
import { readSettings, type Settings } from "../environments/settings.ts";
import { configurationFrom } from "../tensorflow_library/configuration_from.ts";
import { configureTensorflow } from "../tensorflow_library/configure.ts";
import type { Logger } from "../loggers/logger.ts";
import type { Module } from "../nn/module.ts";
import type { ClipByNormOptions } from "../optim/clip.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { ProgressBar, type ProgressBarOptions } from "../progress/progress_bar.ts";
import { seed_everything, type SeedOptions } from "../seed/seed_everything.ts";
import { fromHost, snapshot } from "../tensor/read.ts";
import { isHostTensor } from "../tensor/host_tensor.ts";
import type { StateDict, Stateful } from "../tensor/state.ts";
import type { tf } from "../tensor/tf.ts";
import { info, routeMessages } from "../core/messages.ts";
import { requeueJob } from "../../launcher/requeue_job.ts";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { mapTree } from "./map_tree.ts";

/** Options of {@linkcode Fabric.clipGradients}: exactly one of `maxNorm` and `clipVal`. */
export interface ClipGradientsOptions extends Partial<ClipByNormOptions> {
  /** Every element is clipped to [-clipVal, clipVal]. */
  clipVal?: number;
}

/** Options of {@linkcode Fabric.save}. */
export interface SaveOptions {
  /** For a name of the state, which entries of its state dict to keep. Default: all. */
  filter?: StateFilter;
  /** Resolve as soon as the state is copied, and write while training goes on; an error comes with the next save or close. Default: false. */
  background?: boolean;
  /** Names the part of the program that goes on from it, for {@linkcode Fabric.latestCheckpoint}. Default: none. */
  part?: string;
  /** Whether a run that is started again can go on from it. Default: true. */
  isResumable?: boolean;
  /** Whether only as many ranks as now can go on from it. Default: false. */
  needsSameRanks?: boolean;
}

/** What a model may be: a tfjs layers model or a {@linkcode Module} of one's own. */
export type Model = Module | tf.LayersModel;

/** The optimizers after set-up, one for each given. */
export type FabricOptimizers<O extends readonly (tf.Optimizer | Optimizer)[]> = { [K in keyof O]: FabricOptimizer };

/**
 * A training loop of one's own on any accelerator and any number of ranks: what is given to `setup` is made ready, `backward`
 * is where the ranks meet, and everything else is plain code that every rank runs.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * const fabric = new Fabric({ accelerator: "wasm" });
 * await fabric.launch();
 * const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
 * const [model, optimizer] = await fabric.setup(net, tf.train.sgd(0.1));
 * const loss = model.forward(tf.ones([4, 2])).square().mean();
 * await fabric.backward(loss); // averaged over the ranks when it returns
 * optimizer.step();
 * optimizer.zeroGrad();
 * await fabric.close();
 * ```
 */
export class Fabric implements AsyncDisposable {
  readonly #settings: Settings;
  readonly #cluster: ClusterInfo;
  readonly #config: FabricConfig;
  readonly #callbacks: object[];
  readonly #log: MetricLog;
  readonly #record: CheckpointRecord;
  #starting: Promise<RankContext> | undefined;
  #context: RankContext | undefined;
  #modules: FabricModules | undefined;
  /** The bars that may be open, the newest last: while a validation has its own, that of the training waits. */
  #bars: ProgressBar[] = [];
  /** Steps of optimizers. */
  #steps = 0;
  /** The checkpoint being written in the background; resolves with what went wrong. */
  #saving: Promise<{ error: unknown } | undefined> = Promise.resolve(undefined);

  /**
   * @throws TypeError for an unknown option or name; Error if the code contradicts what the launcher was told or the
   * environment says
   */
  constructor(options: FabricOptions = {}) {
    try {
      const environment = processEnvironment();
      this.#settings = readSettings(environment);
      configureTensorflow(configurationFrom(environment));
      this.#cluster = detectCluster(environment);
      this.#config = resolveFabricOptions(options, this.#settings, this.#cluster);
    } catch (error) {
      throw atCaller(error, Fabric);
    }
    this.#record = new CheckpointRecord(checkpointRecordFile(this.#settings, this.#cluster));
    this.#callbacks = [...this.#config.callbacks];
    this.#log = new MetricLog(this.isGlobalZero ? this.#config.loggers : []);
  }

  // Who this rank is

  /** This rank among all, from 0. */
  get globalRank(): number {
    return this.#cluster.rank;
  }

  /** This rank on its host, from 0. */
  get localRank(): number {
    return this.#cluster.localRank;
  }

  /** This rank's host, from 0. */
  get nodeRank(): number {
    return this.#cluster.nodeRank;
  }

  /** How many ranks train together. */
  get worldSize(): number {
    return this.#cluster.worldSize;
  }

  /** True on rank 0, the one that logs and writes. */
  get isGlobalZero(): boolean {
    return this.#cluster.rank === 0;
  }

  /** Where this rank computes. @throws Error before {@linkcode launch} */
  get device(): Device {
    return this.#launched("device").device;
  }

  /** The name of the strategy in use. @throws Error before {@linkcode launch} */
  get strategy(): string {
    return this.#launched("strategy").strategy.name;
  }

  /** How often the run was started again after a failure, or by the cluster. */
  get restartCount(): number {
    return this.#cluster.generation;
  }

  /** All loggers. They write on rank 0 only. */
  get loggers(): readonly Logger[] {
    return this.#config.loggers;
  }

  /** The first logger. @throws RangeError if there is none */
  get logger(): Logger {
    if (this.#config.loggers.length === 0) {
      throw new RangeError("Fabric has no logger: give it one with `new Fabric({ loggers })`");
    }
    return this.#config.loggers[0];
  }

  // Starting and ending

  /**
   * Starts the ranks and connects this one to the others. Blocks until all have come.
   *
   * Under the launcher the ranks are running already. In a script that was started directly with several devices, this process
   * starts one process a rank that runs the same script with the same arguments, and supervises them: without `main` it then
   * exits with their code; with `main` it returns what rank 0's `main` returned, and the ranks end after it.
   *
   * @param main called on every rank with this Fabric; its result on rank 0 is returned everywhere
   * @throws TypeError if `main` is no function; CommTimeoutError if a rank does not come
   */
  async launch<T = void>(main?: (fabric: this) => T | Promise<T>): Promise<T> {
    if (main !== undefined && typeof main !== "function") {
      throw new TypeError(
        `\`fabric.launch(…)\` needs a function, but got ${typeof main}. Give it the function itself: \`fabric.launch(main)\`, not \`fabric.launch(main())\`.`,
      );
    }
    const worldSize = await plannedWorldSize(this.#config, this.#cluster);
    if (this.#cluster.kind === "local" && worldSize > 1) {
      return await superviseOwnScript<T>(this.#config, { wantsResult: main !== undefined });
    }
    const context = await this.#start();
    if (!main) return undefined as T;
    let result: T;
    try {
      result = await main(this);
    } catch (error) {
      await this.abort(error as Error);
      throw error;
    }
    result = await context.group.broadcastObject(result, { purpose: "fabric.launch" });
    if (this.#settings.launchedBy !== "script") return result;
    if (this.isGlobalZero) await deliverResult(context.store!, result);
    await this.close();
    // With the code that was set, e.g. by a Trainer that was stopped.
    Deno.exit();
  }

  /**
   * Leaves the other ranks and gives back what Fabric holds: writes what loggers still have, closes sockets. Tensors and models
   * stay usable. Happens by itself at the end of a program.
   */
  async close(): Promise<void> {
    this.reportWaits();
    await this.saved();
    await this.#log.flush();
    const context = this.#context;
    this.#context = undefined;
    this.#starting = undefined;
    await context?.[Symbol.asyncDispose]();
  }

  /**
   * Says on rank 0 which rank was the slowest and how long the others waited for its gradients, if that was long: a second and a tenth of the
   * time since the last report. {@linkcode close} and the Trainer at the end of a fit do so by themselves.
   */
  reportWaits(): void {
    const slowest = this.isGlobalZero ? this.#context?.flags.waits.take() : undefined;
    const line = slowest && describeSlowest(slowest);
    if (line) info(line);
  }

  /**
   * Tells the other ranks that this one failed: their collectives, pending and later, reject with RankFailedError that carries its message.
   * For programs that catch an error and do not go on; one that is not caught is noticed by the launcher.
   */
  async abort(reason: Error): Promise<void> {
    if (this.worldSize > 1) await this.#context?.group.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Calls `listener` once, when somebody wants the program to stop: at the first Ctrl-C, SIGTERM or preemption signal of the cluster, which then do not
   * end it. A second Ctrl-C or SIGTERM does. Disposing stops it. Only the rank that got the signal is called: what all are to do at
   * the same step, they agree on by {@linkcode raiseFlag}.
   * @param options `preemptionSignal`: e.g. `SIGUSR2`, or `none`. Default: WEFT_PREEMPTION_SIGNAL, else `SIGUSR1` and `SIGUSR2`
   */
  onStopRequest(
    listener: (request: StopRequest) => void,
    options: { preemptionSignal?: string } = {},
  ): Disposable {
    rejectUnknownOptions("fabric.onStopRequest", options, ["preemptionSignal"]);
    return listenForStop(listener, { settings: this.#settings, ...options });
  }

  /**
   * Puts the Slurm job back into the queue, from rank 0, after everything is saved. Does nothing elsewhere, under the launcher (which does it by
   * itself), or with WEFT_REQUEUE=0.
   */
  async requeue(): Promise<void> {
    const job = /^slurm-(\d+)\./.exec(this.#cluster.runId)?.[1];
    if (this.#cluster.kind !== "slurm" || !this.isGlobalZero || this.#settings.requeue === false || !job) return;
    info(await requeueJob(job));
  }

  // Setting up

  /**
   * Makes a model and its optimizers ready: weights are equal on all ranks afterwards (rank 0's), `forward` is recorded in train
   * mode, and optimizers step with what {@linkcode backward} leaves. Waits for all ranks.
   * Calls `onAfterSetup({ fabric, module })` on callbacks.
   *
   * @returns the model alone if no optimizer is given, else the model and each optimizer in an array
   * @throws Error if the model differs between ranks or was set up before
   */
  async setup<M extends Model>(model: M): Promise<FabricModule<M>>;
  async setup<M extends Model, O extends readonly (tf.Optimizer | Optimizer)[]>(
    model: M,
    ...optimizers: O
  ): Promise<[FabricModule<M>, ...FabricOptimizers<O>]>;
  async setup<M extends Model>(
    model: M,
    ...optimizers: (tf.Optimizer | Optimizer)[]
  ): Promise<FabricModule<M> | [FabricModule<M>, ...FabricOptimizer[]]> {
    const modules = await this.#started("setup");
    const module = await modules.setupModule(model);
    const ready = await modules.setupOptimizers(optimizers, module);
    await this.call("onAfterSetup", { fabric: this, module });
    return ready.length === 0 ? module : [module, ...ready];
  }

  /** As {@linkcode setup} for a model alone, without calling callbacks. */
  async setupModule<M extends Model>(model: M): Promise<FabricModule<M>> {
    return await (await this.#started("setupModule")).setupModule(model);
  }

  /**
   * As {@linkcode setup} for optimizers alone. They take the parameters of all models set up so far, or of `model`.
   * @returns the optimizer if one is given, else an array
   */
  async setupOptimizers(optimizer: tf.Optimizer | Optimizer, options?: { model?: Module }): Promise<FabricOptimizer>;
  async setupOptimizers(
    optimizers: readonly (tf.Optimizer | Optimizer)[],
    options?: { model?: Module },
  ): Promise<FabricOptimizer[]>;
  async setupOptimizers(
    optimizers: tf.Optimizer | Optimizer | readonly (tf.Optimizer | Optimizer)[],
    options: { model?: Module } = {},
  ): Promise<FabricOptimizer | FabricOptimizer[]> {
    const modules = await this.#started("setupOptimizers");
    if (Array.isArray(optimizers)) return await modules.setupOptimizers(optimizers, options.model);
    return (await modules.setupOptimizers([optimizers as Optimizer], options.model))[0];
  }

  /**
   * Shares the samples of loaders among the ranks. A shuffled loader is reshuffled every epoch and padded so that every rank has as many
   * batches; one that is not shuffled is never padded, so that validation counts every sample once.
   * With strategy `"dp"` the batch size is that of all ranks together.
   *
   * @returns the loader if one is given, else an array
   * @throws RangeError if the batch size of `"dp"` cannot be split evenly
   */
  setupDataloaders<B>(loader: DataLoader<B>, options?: SetupDataloadersOptions): DataLoader<B>;
  setupDataloaders<L extends readonly DataLoader<unknown>[]>(
    ...loaders: [...L]
  ): { [K in keyof L]: L[K] extends DataLoader<infer B> ? DataLoader<B> : never };
  setupDataloaders(...given: unknown[]): unknown {
    const last = given.at(-1) ?? null;
    const isOptions = given.length > 1 && last !== null && Object.getPrototypeOf(last) === Object.prototype;
    const options = isOptions ? given.pop() as SetupDataloadersOptions : {};
    rejectUnknownOptions("fabric.setupDataloaders", options, ["useDistributedSampler", "share"]);
    const context = this.#launched("setupDataloaders");
    const ready = (given as DataLoader<unknown>[]).map((loader) =>
      shardLoader(loader, {
        rank: this.globalRank,
        worldSize: this.worldSize,
        splitsBatch: context.strategy.splitsBatch,
        ...options,
      })
    );
    return ready.length === 1 ? ready[0] : ready;
  }

  // Training

  /**
   * Computes the gradients of `loss` and averages them over the ranks; when it resolves they are in place, added to those that
   * were there. All ranks must call it together.
   *
   * @param loss a scalar that the forward pass of a set-up model in train mode led to, or a function that returns one
   * @returns the loss
   * @throws Error if the loss is no scalar or was not recorded; RankFailedError, CollectiveMismatchError, CommTimeoutError from the ranks
   */
  async backward(
    loss: tf.Tensor | (() => tf.Tensor),
    options: { model?: Module; retainTape?: boolean } = {},
  ): Promise<tf.Tensor> {
    rejectUnknownOptions("fabric.backward", options, ["model", "retainTape"]);
    const modules = await this.#started("backward");
    const outer = activity().enter("backward");
    const result = await modules.backward(loss, options);
    activity().restore(outer);
    return result;
  }

  /**
   * {@linkcode backward} of a rank that has no batch: it takes part in the others' reduction, without a weight in the mean, and ends with the same
   * gradients as they do. Gradients that it accumulated before under {@linkcode noBackwardSync} count. See {@linkcode join}.
   *
   * @param options `model`: whose gradients; needed if several were set up
   * @returns false if no rank had a batch: then there is nothing to step with
   * @throws Error if `model` is needed or was not set up; RankFailedError, CollectiveMismatchError, CommTimeoutError from the ranks
   */
  async backwardWithoutBatch(options: { model?: Module } = {}): Promise<boolean> {
    rejectUnknownOptions("fabric.backwardWithoutBatch", options, ["model"]);
    const modules = await this.#started("backwardWithoutBatch");
    const outer = activity().enter("backward");
    await modules.backwardWithoutBatch(options.model);
    activity().restore(outer);
    return this.#launched("backwardWithoutBatch").flags.samples.hasAny;
  }

  /**
   * Adds a batch of `count` samples to what the next {@linkcode backward} of this rank is the mean of: gradients are averaged over the samples of
   * all ranks. {@linkcode join} does so by itself. If no rank says anything, every rank counts the same. Costs no message.
   * @param count 0 without a batch; undefined if it is not known, then the ranks that have a batch count the same
   */
  countSamples(count: number | undefined): void {
    if (count !== undefined && !(Number.isInteger(count) && count >= 0)) {
      throw new RangeError(`\`fabric.countSamples\` needs a number of samples, or undefined, but got ${count}`);
    }
    this.#launched("countSamples").flags.samples.add(count);
  }

  /** What {@linkcode countSamples} counted since the last backward that synchronised; undefined if that is not known. */
  get pendingSamples(): number | undefined {
    return this.#launched("pendingSamples").flags.samples.pending;
  }

  /**
   * This rank's batches, and `undefined` in their place when it has run out and another rank has not: all ranks take as many steps, whatever the
   * sizes of their shares, and end with the same weights. The gradients are averaged over the samples of all ranks, so that a smaller
   * batch counts less. Without it every rank needs as many batches.
   *
   * If all ranks know how many batches they have (`length`), they tell each other once; else once for every batch. Steps with as many
   * samples on each rank that has some cost no more than without `join`; others send the gradients a second time.
   *
   * @param batches a loader, or anything that can be iterated over
   *
   * @example
   * ```ts
   * import { DataLoader, TensorDataset, tf } from "weft";
   * const fabric = new Fabric({ accelerator: "wasm" });
   * await fabric.launch();
   * const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
   * const [model, optimizer] = await fabric.setup(net, tf.train.sgd(0.1));
   * const loader = new DataLoader(new TensorDataset({ dtype: "float32", shape: [3, 2], data: new Float32Array(6) }), { batchSize: 2 });
   * for await (const batch of fabric.join(loader)) {
   *   optimizer.zeroGrad();
   *   if (batch) await fabric.backward(model.forward(batch[0]).square().mean());
   *   else await fabric.backwardWithoutBatch();
   *   optimizer.step();
   * }
   * await fabric.close();
   * ```
   */
  join<B>(batches: JoinableBatches<B>): AsyncGenerator<B | undefined, void, undefined> {
    const { group, flags } = this.#launched("join");
    return joinBatches(batches, { group, samples: flags.samples });
  }

  /**
   * Makes a training step that runs in one or two calls of TensorFlow's instead of one for each operation: the same numbers, several
   * times as fast. The first calls run as they are and are recorded. What cannot be recorded (reading a value in the middle, branching
   * on data) runs on as it is, with one warning that says why. On accelerators other than `cpu` and `cuda` by TensorFlow the step is
   * left as it is. docs/compiled_steps.md tells more.
   *
   * @param step takes a batch and returns what is wanted of it, e.g. the loss. Its tensors come in as arguments and go out as results, alone or
   * in arrays and records; other arguments are values that the recording is made for. What it does besides computing (printing,
   * logging) happens only while it is recorded
   * @returns a function of the same arguments. What it returns belongs to the caller's scope
   * @throws TypeError if `step` is no function, or for an unknown option or mode
   *
   * @example
   * ```ts
   * import { tf } from "weft";
   * const fabric = new Fabric();
   * await fabric.launch();
   * const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
   * const [model, optimizer] = await fabric.setup(net, tf.train.sgd(0.1));
   * const step = fabric.compile(async (x: tf.Tensor) => {
   *   optimizer.zeroGrad();
   *   const loss = model.forward(x).square().mean();
   *   await fabric.backward(loss);
   *   optimizer.step();
   *   return loss;
   * });
   * for (let i = 0; i < 4; i++) console.log((await step(tf.ones([4, 2]))).dataSync()[0]);
   * await fabric.close();
   * ```
   */
  compile<A extends unknown[], R>(
    step: (...args: A) => R | Promise<R>,
    options: CompileOptions = {},
  ): (...args: A) => Promise<R> {
    const compiled = compileForFabric(step, options, () => this.#modules?.modes() ?? []);
    if (compiled === step) return compiled;
    // A recorded step's optimizers do not say that they stepped: whether they do was seen while it was recorded.
    let trains = false;
    return async (...args) => {
      const before = this.#steps;
      const result = await asUserCall(() => compiled(...args));
      if (this.#steps > before) trains = true;
      else if (trains) this.#countStep();
      return result;
    };
  }

  /**
   * Backward passes of `model` stay on this rank as long as the returned handle is not disposed: gradients accumulate without traffic.
   *
   * @param enabled false makes it do nothing, so that it can stand around every step of an accumulation
   * @example
   * ```ts
   * const fabric = new Fabric();
   * await fabric.launch();
   * const accumulating = true;
   * { using _ = fabric.noBackwardSync(undefined, accumulating); }
   * await fabric.close();
   * ```
   */
  noBackwardSync(model?: Module, enabled = true): Disposable {
    const modules = this.#modules;
    if (!modules || !enabled) return { [Symbol.dispose]() {} };
    return modules.withoutSync(model);
  }

  /**
   * Clips the gradients of `model`'s parameters, by value or so that their common norm is at most `maxNorm`.
   * @returns the norm before clipping with `maxNorm`, undefined with `clipVal`
   * @throws TypeError unless exactly one of `clipVal` and `maxNorm` is given; RangeError if the norm is not finite and `errorIfNonfinite`
   */
  async clipGradients(model: Module, options: ClipGradientsOptions): Promise<number | undefined> {
    return await (await this.#started("clipGradients")).clipGradients(model, options);
  }

  /**
   * Calls `f` in the precision of this Fabric: in a mixed one, products of matrices and convolutions compute in 16 bits. The forward methods
   * of set-up models and {@linkcode backward} do so by themselves. In other precisions, and before {@linkcode launch}, that is a plain call.
   */
  autocast<T>(f: () => T): T {
    return this.#context ? this.#context.precisionInUse.autocast(f) : f();
  }

  // Ranks together

  /**
   * Reduces every number and tensor of `data` over the ranks. Waits for all. Tensors come back as new ones.
   * @param options `op`: `"mean"` (default), `"sum"`, `"min"`, `"max"`, `"product"`; `purpose`: what it is for, in a few words. Ranks whose purposes differ get a
   * CollectiveMismatchError that tells them, instead of a mean of different things. Default: nothing, which is a purpose too
   */
  async allReduce<T>(data: T, options: { op?: ReduceOp } & PurposeOptions = {}): Promise<T> {
    rejectUnknownOptions("fabric.allReduce", options, ["op", "purpose"]);
    const { op = "mean", purpose } = options;
    return await allReduceTree(this.#launched("allReduce").group, data, { op, purpose });
  }

  /**
   * Every rank's `data` on every rank: each number and tensor becomes a tensor with the ranks as its first dimension (none with one rank).
   * @param options `purpose`: see {@linkcode allReduce}. Default: `"fabric.allGather"`
   */
  async allGather<T>(data: T, options: PurposeOptions = {}): Promise<Gathered<T>> {
    rejectUnknownOptions("fabric.allGather", options, ["purpose"]);
    return await allGatherTree(this.#launched("allGather").group, data, options.purpose);
  }

  /**
   * The root's value on every rank: JSON values, typed arrays, tensors. Waits for the root.
   * @param options `root`: default 0. `purpose`: see {@linkcode allReduce}. Default: `"fabric.broadcast"`
   */
  async broadcast<T>(value: T, options: RootOptions = {}): Promise<T> {
    rejectUnknownOptions("fabric.broadcast", options, ["root", "purpose"]);
    const { group } = this.#launched("broadcast");
    const { root = 0, purpose = "fabric.broadcast" } = options;
    const host = group.rank === root ? await snapshot(value as StateDict) : null;
    const received = await group.broadcastObject(host, { root, purpose });
    return (group.rank === root ? value : mapTree(received, isHostTensor, fromHost)) as T;
  }

  /**
   * Every rank's value on every rank, by rank: JSON values and typed arrays, in one message.
   * @param options `purpose`: see {@linkcode allReduce}
   */
  async allGatherObjects<T>(value: T, options: PurposeOptions = {}): Promise<T[]> {
    rejectUnknownOptions("fabric.allGatherObjects", options, ["purpose"]);
    return await this.#launched("allGatherObjects").group.allGatherObjects(value, { purpose: options.purpose });
  }

  /**
   * Raises a flag that travels with the gradients: after the next {@linkcode backward} that synchronises, {@linkcode agreedFlags} has it on
   * every rank. Costs no message.
   */
  raiseFlag(flag: RankFlag): void {
    this.#launched("raiseFlag").flags.raise(flag);
  }

  /** The flags that any rank had raised by the last backward pass that synchronised: the same on all ranks. */
  get agreedFlags(): ReadonlySet<RankFlag> {
    return this.#launched("agreedFlags").flags.agreed;
  }

  /**
   * Resolves when every rank has called it.
   * @param options `purpose`: see {@linkcode allReduce}
   */
  async barrier(options: PurposeOptions = {}): Promise<void> {
    rejectUnknownOptions("fabric.barrier", options, ["purpose"]);
    await this.#launched("barrier").group.barrier({ purpose: options.purpose });
  }

  /**
   * Calls `f` on rank 0 first, then on the others: for downloads and other work that the first leaves for the rest.
   * @param options `local`: on each host its first rank goes first. Default: false
   * @throws on every rank if it throws on the first
   */
  async rankZeroFirst<T>(f: () => T | Promise<T>, options: { local?: boolean } = {}): Promise<T> {
    rejectUnknownOptions("fabric.rankZeroFirst", options, ["local"]);
    const { group } = this.#launched("rankZeroFirst");
    const first = options.local ? this.localRank === 0 : this.isGlobalZero;
    let outcome: { value: T } | undefined, failure: unknown;
    if (first) {
      try {
        outcome = { value: await f() };
      } catch (error) {
        failure = error;
      }
    }
    const failures = await group.allGatherObjects(failure === undefined ? null : String(failure), {
      purpose: "fabric.rankZeroFirst",
    });
    if (failure !== undefined) throw failure;
    const failed = failures.findIndex((message) => message !== null);
    if (failed >= 0) throw new Error(`rank ${failed}, which went first, failed: ${failures[failed]}`);
    return outcome ? outcome.value : await f();
  }

  // Saving and loading

  /**
   * Writes a checkpoint. All ranks call it and wait; rank 0 writes, to a temporary file that is then renamed.
   *
   * @param state models, optimizers, anything with `stateDict()`, tensors and plain values, by name
   * @throws on every rank if it, or an earlier one in the background, could not be written
   */
  async save(path: string | URL, state: Readonly<Record<string, unknown>>, options: SaveOptions = {}): Promise<void> {
    const { group } = await this.#startedContext("save");
    let failure: unknown;
    try {
      await this.saved();
      this.#modules?.pending.check("`fabric.save`");
      await this.#modules?.synchronize();
      const collected = await collectState(state, options.filter);
      if (this.isGlobalZero) {
        // Read back before this resolves, so that training may go on while the file is written.
        const writing = writeCheckpoint(filePath(path), await snapshot(collected) as StateDict)
          .then(() =>
            options.isResumable === false ? undefined : this.#record.add(
              filePath(path),
              options.part ?? "",
              options.needsSameRanks ? this.worldSize : undefined,
            )
          );
        if (options.background) this.#saving = writing.then(() => undefined, (error) => ({ error }));
        else await writing;
      }
    } catch (error) {
      failure = error;
    }
    const message = await group.broadcastObject(
      failure === undefined ? null : String((failure as Error).message ?? failure),
      { purpose: "fabric.save" },
    );
    if (failure !== undefined) throw failure;
    if (message !== null) throw new Error(`rank 0 could not save the checkpoint: ${message}`);
  }

  /** Resolves when what was saved in the background is written. @throws if it could not be */
  async saved(): Promise<void> {
    const outcome = await this.#saving;
    this.#saving = Promise.resolve(undefined);
    if (outcome) throw outcome.error;
  }

  /**
   * The newest checkpoint of this run that is complete, from before it was started again, and that this number of ranks can go on from; undefined if
   * there is none, or it was not started again.
   * All ranks call it and get rank 0's answer.
   * @param options `part`: only those that {@linkcode save} was told this `part` of. Default: all
   *
   * @example
   * ```ts
   * const fabric = new Fabric();
   * await fabric.launch();
   * const state = { step: 0 };
   * const path = await fabric.latestCheckpoint();
   * if (path !== undefined) await fabric.load(path, state);
   * await fabric.close();
   * ```
   */
  async latestCheckpoint(options: { part?: string } = {}): Promise<string | undefined> {
    rejectUnknownOptions("fabric.latestCheckpoint", options, ["part"]);
    if (this.restartCount === 0) return undefined;
    const { group } = await this.#startedContext("latestCheckpoint");
    const own = this.isGlobalZero
      ? await this.#record.newest({ part: options.part, ranks: this.worldSize }) ?? null
      : null;
    return await group.broadcastObject(own, { purpose: "fabric.latestCheckpoint" }) ?? undefined;
  }

  /**
   * Reads a checkpoint and restores `state` from it, in place.
   *
   * @param state what to restore, by the names used in {@linkcode save}; plain values are replaced in the record. Default: nothing
   * @returns what the checkpoint holds and `state` did not ask for, tensors as HostTensors
   * @throws CheckpointError if the file is missing or damaged; Error if it lacks something (unless `strict` is false) or does not fit the model
   */
  async load(
    path: string | URL,
    state: Record<string, unknown> = {},
    options: { strict?: boolean } = {},
  ): Promise<StateDict> {
    rejectUnknownOptions("fabric.load", options, ["strict"]);
    return applyState(await readCheckpoint(filePath(path)), state, { strict: options.strict ?? true });
  }

  /** Reads a file that holds one object's state dict, such as weights written by Python's safetensors, into that object. */
  async loadRaw(path: string | URL, object: Stateful, options: { strict?: boolean } = {}): Promise<void> {
    rejectUnknownOptions("fabric.loadRaw", options, ["strict"]);
    object.loadStateDict(await readCheckpoint(filePath(path)), { strict: options.strict ?? true });
  }

  // Talking

  /** Calls the method `hook` of every callback that has it, in order, and waits for each. */
  async call(hook: string, ...args: unknown[]): Promise<void> {
    await callCallbacks(this.#callbacks, hook, args);
  }

  /** Logs one value, see {@linkcode logDict}. */
  async log(name: string, value: number | tf.Tensor, step?: number): Promise<void> {
    await this.#log.write({ [name]: value }, step);
  }

  /**
   * Gives values to every logger, on rank 0. Tensors are read once, without blocking the step.
   * Resolves when the loggers have them; not awaiting it is fine.
   * @throws TypeError if a value is neither a number nor a tensor with one element
   */
  async logDict(metrics: Readonly<Record<string, number | tf.Tensor>>, step?: number): Promise<void> {
    await this.#log.write(metrics, step);
  }

  /** Prints on the first rank of each host, above the progress bar. */
  print(...values: unknown[]): void {
    if (this.localRank !== 0) return;
    // On one terminal the bar has to make room; elsewhere the two streams do not meet, or the launcher joins them.
    const bar = this.#openBar();
    if (bar && Deno.stdout.isTerminal()) bar.print(format(...values));
    else console.log(...values);
  }

  /** The bar on the screen's last line; if there is none, the newest. */
  #openBar(): ProgressBar | undefined {
    this.#bars = this.#bars.filter(({ isClosed }) => !isClosed);
    return this.#bars.findLast(({ isDrawn }) => isDrawn) ?? this.#bars.at(-1);
  }

  /**
   * A progress bar on rank 0, with a description that can be set; on the other ranks one that shows nothing. In a terminal a line that is
   * redrawn at most ten times a second, elsewhere a plain line every few seconds.
   */
  progressBar(options: ProgressBarOptions = {}): ProgressBar {
    if (this.isGlobalZero) {
      const bar = new ProgressBar({ columns: this.#settings.terminalColumns, ...options });
      this.#openBar();
      this.#bars.push(bar);
      routeMessages((line) => {
        const open = this.#openBar();
        if (open) open.print(line);
        else console.error(line);
      });
      return bar;
    }
    return new ProgressBar({ ...options, isTerminal: false, stream: { writeSync: (bytes) => bytes.length } });
  }

  /** HostTensors in `data` (nested records and arrays too) as tensors on this rank's device; the rest as it is. */
  toDevice<T>(data: T): T {
    return mapTree(data, isHostTensor, fromHost) as T;
  }

  /** See {@linkcode seed_everything}. */
  static seedEverything(seed?: number, options?: SeedOptions): number {
    return seed_everything(seed, { workers: true, ...options });
  }

  /** See {@linkcode seed_everything}. */
  seedEverything(seed?: number, options?: SeedOptions): number {
    return Fabric.seedEverything(seed, options);
  }

  async #start(): Promise<RankContext> {
    this.#starting ??= startRank(this.#config, this.#settings, this.#cluster);
    this.#context = await this.#starting;
    this.#modules ??= new FabricModules(this.#context, (optimizer) => {
      this.#countStep();
      if (this.#callbacks.length > 0) void this.call("onAfterOptimizerStep", { fabric: this, optimizer });
    });
    return this.#context;
  }

  /** For the launcher, which tells at which step a rank failed. */
  #countStep(): void {
    this.#steps++;
    activity().countStep(this.#steps);
  }

  /** With one rank, what needs the accelerator starts it; with several, the user must say when. */
  async #startedContext(method: string): Promise<RankContext> {
    if (!this.#context && await plannedWorldSize(this.#config, this.#cluster) === 1) return await this.#start();
    return this.#launched(method);
  }

  async #started(method: string): Promise<FabricModules> {
    if (!this.#modules) await this.#startedContext(method);
    return this.#modules!;
  }

  #launched(method: string): RankContext {
    if (this.#context) return this.#context;
    throw new Error(
      `\`fabric.${method}\` was called before \`await fabric.launch()\`: call that first, once, on every rank`,
    );
  }
}

pointAtCaller(Fabric);

function filePath(path: string | URL): string {
  return path instanceof URL ? fileURLToPath(path) : path;
}
