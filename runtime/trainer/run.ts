import { BackgroundSaves } from "./background_saves.ts";
import type { Callback } from "./callback.ts";
import { mergeCallbacks } from "./callback_list.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import { checkCheckpointVersion } from "./checkpoint_version.ts";
import { collectCheckpoint, restoreModel, restoreRank, restoreTraining } from "./checkpointing.ts";
import { findCheckpoint } from "./find_checkpoint.ts";
import { HookCaller } from "./hooks.ts";
import { attachDataModule, type LightningDataModule } from "./lightning_data_module.ts";
import { attachModule, LightningModule } from "./lightning_module.ts";
import { type GivenLoaders, LoaderSet } from "./loader_set.ts";
import { MetricConnector } from "./logging/metric_connector.ts";
import { evaluate } from "./loops/evaluation_loop.ts";
import { canValidate, runFit } from "./loops/fit_loop.ts";
import { predictAll } from "./loops/prediction_loop.ts";
import { clipGradientsOf } from "./optimization/clip.ts";
import { type EvaluationStep, evaluationStepFor, type Optimize, optimizeFor } from "./optimization/compiled.ts";
import type { LightningOptimizer } from "./optimization/lightning_optimizer.ts";
import { manualBackward } from "./optimization/manual.ts";
import type { SchedulerConfig } from "./optimization/optimizer_config.ts";
import { setUpOptimizers } from "./optimization/set_up_optimizers.ts";
import { logHyperparameters } from "./log_hyperparameters.ts";
import type { FitProgress } from "./progress.ts";
import type { Session } from "./session.ts";
import { listenForSignals } from "./signals.ts";
import type { RunningStage, Stage } from "./stage.ts";
import { Interruption, StopControl } from "./stop_control.ts";
import { noteStop } from "./stopped_error.ts";
import type { Trainer } from "./trainer.ts";
import type { TrainerConfig } from "./trainer_options.ts";
import { sayDevices } from "./say_devices.ts";
import { validateRequest } from "./validate_request.ts";
import { exitCodeOf, RESUMABLE } from "../core/exit_codes.ts";
import { info, warn } from "../core/messages.ts";
import type { Fabric } from "../fabric/fabric.ts";
import type { FabricModule } from "../fabric/fabric_module.ts";
import { randomState, restoreRandomState } from "../seed/random_state.ts";
import { zeroGradients } from "../tensor/gradients.ts";
import { join } from "node:path";

/** What one of the Trainer's methods was asked to do. */
export interface RunRequest {
  task: Stage;
  model: LightningModule;
  datamodule: LightningDataModule | undefined;
  given: GivenLoaders;
  ckptPath: string | undefined;
  /** Whether `predict` returns what it finds. */
  collect?: boolean;
}

/** Models that a Fabric made ready, so that a second fit does not ask for it again. */
const ready = new WeakMap<Fabric, WeakMap<LightningModule, FabricModule<LightningModule>>>();

/** One call of `fit`, `validate`, `test` or `predict`: prepares, runs the loop and cleans up. */
export class Run implements Session {
  readonly trainer: Trainer;
  readonly fabric: Fabric;
  readonly config: TrainerConfig;
  readonly task: Stage;
  readonly module: LightningModule;
  readonly datamodule: LightningDataModule | undefined;
  readonly callbacks: readonly Callback[];
  readonly hooks: HookCaller;
  readonly metrics: MetricConnector;
  readonly progress: FitProgress;
  readonly loaders: LoaderSet;
  readonly stop: StopControl;
  readonly saves: BackgroundSaves = new BackgroundSaves();
  /** Which of the program's fits this is, so that each goes on from its own checkpoints when the program is started again. */
  readonly part: string;
  readonly #request: RunRequest;
  #model: FabricModule<LightningModule> | undefined;
  #optimize: Optimize | undefined;
  readonly #evaluationSteps = new Map<string, EvaluationStep>();
  optimizers: readonly LightningOptimizer[] = [];
  schedulers: readonly SchedulerConfig[] = [];
  stage: RunningStage | undefined;
  accumulateGradBatches: number;
  steppedByHand = false;
  batchesInWindow = 0;
  isLastBatch = false;
  interrupted = false;
  predictions: unknown[][] = [];
  ckptPath: string | undefined;
  logDir: string | undefined;

  constructor(
    trainer: Trainer,
    request: RunRequest,
    parts: { callbacks: readonly Callback[]; progress: FitProgress; before: Run | undefined },
  ) {
    validateRequest(trainer.config, request);
    const { config, fabric } = trainer;
    this.trainer = trainer;
    this.fabric = fabric;
    this.config = config;
    this.task = request.task;
    this.module = request.model;
    this.datamodule = request.datamodule;
    this.progress = parts.progress;
    this.accumulateGradBatches = config.accumulateGradBatches;
    this.#request = request;
    this.stop = new StopControl(fabric);
    this.part = `fit ${this.task === "fit" ? ++fits : fits}`;
    this.#attach();
    try {
      this.callbacks = mergeCallbacks(parts.callbacks, this.module.configureCallbacks());
    } catch (error) {
      this.#detach();
      throw error;
    }
    const profiler = config.profiler;
    this.hooks = new HookCaller({ trainer, module: this.module, callbacks: this.callbacks, profiler });
    this.metrics = new MetricConnector({
      fabric,
      hook: () => this.hooks.current,
      logEveryNSteps: config.logEveryNSteps,
      hasBar: config.enableProgressBar,
      globalStep: () => this.progress.globalStep,
      isUneven: () => this.loaders.known("train")[0]?.isUneven ?? false,
      position: () => ({ epoch: this.progress.epoch, step: Math.max(0, this.progress.globalStep - 1) }),
    });
    this.loaders = new LoaderSet({
      fabric,
      config,
      module: this.module,
      datamodule: this.datamodule,
      given: request.given,
      hooks: this.hooks,
    });
    // Between fits the optimizers and where the training stands stay known, for `saveCheckpoint` after `test`.
    if (parts.before?.module === this.module) {
      this.optimizers = parts.before.optimizers;
      this.schedulers = parts.before.schedulers;
    }
  }

  get model(): FabricModule<LightningModule> {
    return this.#model!;
  }

  get optimize(): Optimize {
    return this.#optimize ??= optimizeFor(this);
  }

  evaluationStep(name: "validationStep" | "testStep"): EvaluationStep {
    let step = this.#evaluationSteps.get(name);
    if (!step) this.#evaluationSteps.set(name, step = evaluationStepFor(this, name));
    return step;
  }

  /** Does what was asked. */
  async execute(): Promise<unknown> {
    using signals = this.task === "fit"
      ? listenForSignals(this.fabric, {
        preemptionSignal: this.config.preemptionSignal,
        onRequest: (request) => this.stop.interrupt(request),
      })
      : undefined;
    void signals;
    try {
      const checkpoint = await this.#prepare();
      const result = this.task === "fit" ? await this.#fit(checkpoint) : await this.#evaluate();
      await this.#finish("success");
      return result;
    } catch (error) {
      if (error instanceof Interruption) return await this.#interrupt(error);
      await this.#fail(error);
      throw error;
    } finally {
      this.stage = undefined;
      this.progress.stopClock();
      this.#detach();
    }
  }

  /** What comes before every loop. Returns the checkpoint that was asked for. */
  async #prepare(): Promise<CheckpointState | undefined> {
    const { fabric, module, datamodule, hooks, config, task } = this;
    if (config.fastDevRun) {
      info(
        `Running in \`fast_dev_run\` mode: will run the requested loop using ${config.fastDevRun} batch(es). ` +
          "Logging and checkpointing is suppressed.",
      );
    }
    if (config.detectAnomaly) {
      info(
        "You have turned on `Trainer({ detectAnomaly: true })`. This will significantly slow down compute speed and is recommended only " +
          "for model debugging.",
      );
    }
    if (!launched.has(fabric)) await fabric.launch();
    launched.add(fabric);
    sayDevices(fabric);
    if (config.deterministic && ["cuda", "webgpu"].includes(fabric.device.type)) {
      warn(
        "not-deterministic",
        `on ${fabric.device.type} some sums are added in an order that differs from run to run, so that \`deterministic\` cannot be kept to the ` +
          "last digit; cpu and wasm can",
      );
    }
    this.logDir = await fabric.broadcast(this.trainer.logger?.logDir ?? config.defaultRootDir, {
      purpose: "the Trainer's log folder",
    });

    await this.#prepareData();
    if (datamodule) await datamodule.setup(task);
    await hooks.callbacks("setup", task);
    await hooks.module("setup", () => module.setup(task));
    if (fabric.worldSize > 1) await fabric.barrier({ purpose: "the end of `setup`" });
    await hooks.module("configureModel", () => module.configureModel());

    const path = await this.#resumable() ?? await findCheckpoint(this.trainer, this.#request.ckptPath);
    this.ckptPath = path;
    const checkpoint = path === undefined ? undefined : await this.#read(path);
    if (checkpoint) await restoreModel(this, checkpoint, { weightsOnly: task !== "fit" });
    await this.#setUpModel();
    if (task !== "fit") return checkpoint;
    await setUpOptimizers(this);
    return checkpoint;
  }

  /** Once a host, or once for all. */
  async #prepareData(): Promise<void> {
    const { fabric, module, datamodule, hooks } = this;
    const mine = (perNode: boolean) => perNode ? fabric.localRank === 0 : fabric.isGlobalZero;
    if (datamodule && mine(datamodule.prepareDataPerNode)) await datamodule.prepareData();
    if (mine(module.prepareDataPerNode)) await hooks.module("prepareData", () => module.prepareData());
    if (fabric.worldSize > 1) await fabric.barrier({ purpose: "the end of `prepareData`" });
  }

  /** What the same fit saved last, before the run was started again. It is farther than where the user would have it begin. */
  async #resumable(): Promise<string | undefined> {
    if (this.task !== "fit" || this.fabric.restartCount === 0) return undefined;
    return await this.fabric.latestCheckpoint({ part: this.part });
  }

  async #read(path: string): Promise<CheckpointState> {
    info(`Restoring states from the checkpoint path at ${path}`);
    const checkpoint = await this.fabric.load(path) as CheckpointState;
    checkCheckpointVersion(checkpoint, path);
    return checkpoint;
  }

  async #setUpModel(): Promise<void> {
    let models = ready.get(this.fabric);
    if (!models) ready.set(this.fabric, models = new WeakMap());
    let model = models.get(this.module);
    if (!model) models.set(this.module, model = await this.fabric.setup(this.module));
    this.#model = model;
  }

  async #fit(checkpoint: CheckpointState | undefined): Promise<"finished"> {
    const { hooks, config, module, progress, metrics, fabric } = this;
    if (config.maxEpochsIsDefault) {
      info(
        "`max_epochs` was not set. Setting it to 1000 epochs. To train without an epoch limit, set `maxEpochs: -1`.",
      );
    }
    await hooks.call("onFitStart");
    logHyperparameters(this);
    if (checkpoint) restoreTraining(this, checkpoint);
    metrics.resetAll();
    zeroGradients(module.parameters());
    if (!checkpoint) await this.#sanityCheck();
    if (checkpoint) {
      await restoreRank(this, checkpoint);
      info(`Restored all states from the checkpoint at ${this.ckptPath}`);
    }
    progress.startClock();
    await runFit(this);
    fabric.reportWaits();
    this.stage = undefined;
    await hooks.call("onFitEnd");
    return "finished";
  }

  /** A few batches of validation before the training, so that what is wrong there shows at once. It leaves no trace. */
  async #sanityCheck(): Promise<void> {
    const { hooks, config, metrics } = this;
    if (config.numSanityValSteps === 0 || !canValidate(this)) return;
    const random = randomState();
    this.stage = "sanityCheck";
    await hooks.call("onSanityCheckStart");
    await evaluate(this, { kind: "validate", maxBatches: config.numSanityValSteps, write: false });
    await hooks.call("onSanityCheckEnd");
    metrics.resetAll();
    restoreRandomState(random);
    this.stage = undefined;
  }

  async #evaluate(): Promise<unknown> {
    const { task } = this;
    if (task !== "fit") this.stage = task;
    zeroGradients(this.module.parameters());
    this.metrics.resetAll();
    if (task === "predict") return await predictAll(this, { collect: this.#request.collect ?? true });
    return await evaluate(this, { kind: task as "validate" | "test" });
  }

  async #finish(status: "success" | "interrupted"): Promise<void> {
    const { hooks, module, datamodule, task, config, fabric } = this;
    this.stage = undefined;
    await this.saves.settled();
    await fabric.saved();
    await hooks.callbacks("teardown", task);
    await hooks.module("teardown", () => module.teardown(task));
    if (datamodule) await datamodule.teardown(task);
    if (fabric.isGlobalZero) await Promise.all(fabric.loggers.map((logger) => logger.finalize(status)));
    if (config.profiler) info(config.profiler.summary(`${task.toUpperCase()} Profiler Report`));
  }

  async #interrupt(reason: Interruption): Promise<unknown> {
    const { hooks, config, trainer, fabric, progress } = this;
    this.interrupted = true;
    await hooks.callbacks("onException", reason);
    // A callback that saves checkpoints has done so.
    if (this.task === "fit" && config.enableCheckpointing && !trainer.checkpointCallback) {
      const path = join(trainer.logDir, "checkpoints", "interrupted.ckpt");
      const checkpoint = await collectCheckpoint(this, { weightsOnly: false, thisRankOnly: false });
      await fabric.save(path, checkpoint, { part: this.part, needsSameRanks: progress.isMidEpoch });
      info(
        `Interrupted in epoch ${progress.epoch} after step ${progress.globalStep}. Continue with \`trainer.fit(model, { ckptPath: ${
          JSON.stringify(path)
        } })\``,
      );
    }
    await this.#finish("interrupted");
    if (this.task !== "fit") return [];
    const signal = this.stop.signal!;
    noteStop(signal);
    // For whoever started the program, unless it chooses another code.
    Deno.exitCode = config.enableCheckpointing ? RESUMABLE : exitCodeOf(signal);
    if (config.enableCheckpointing && this.stop.isPreempted && config.requeue) await fabric.requeue();
    return "interrupted";
  }

  /** The ranks may be out of step here: nothing that waits for another rank. */
  async #fail(error: unknown): Promise<void> {
    const { hooks, datamodule, fabric } = this;
    try {
      // First of all, since the others wait for this rank in a collective that it will not come to.
      await fabric.abort(error instanceof Error ? error : new Error(String(error)));
      await hooks.callbacks("onException", error);
      await datamodule?.onException(error);
      if (fabric.isGlobalZero) await Promise.all(fabric.loggers.map((logger) => logger.finalize("failed")));
      await this.saves.settled();
    } catch (second) {
      info(
        `While handling the error below, another came up: ${second instanceof Error ? second.message : String(second)}`,
        {
          everyRank: true,
        },
      );
    }
  }

  #attach(): void {
    attachModule(this.module, {
      trainer: this.trainer,
      log: (_module, metrics, options) => this.metrics.log(metrics, options),
      optimizers: () => this.optimizers,
      lrSchedulers: () => this.schedulers,
      manualBackward: (loss) => manualBackward(this, loss),
      clipGradients: (optimizer, options) => clipGradientsOf(this, optimizer, options),
    });
    if (this.datamodule) attachDataModule(this.datamodule, this.trainer);
  }

  #detach(): void {
    attachModule(this.module, undefined);
    if (this.datamodule) attachDataModule(this.datamodule, undefined);
  }
}

/** How many fits this program has begun. */
let fits = 0;

/** Fabrics that have met their ranks. */
const launched = new WeakSet<Fabric>();
