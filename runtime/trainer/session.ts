import type { BackgroundSaves } from "./background_saves.ts";
import type { HookCaller } from "./hooks.ts";
import type { LightningDataModule } from "./lightning_data_module.ts";
import type { LightningModule } from "./lightning_module.ts";
import type { LoaderSet } from "./loader_set.ts";
import type { MetricConnector } from "./logging/metric_connector.ts";
import type { LightningOptimizer } from "./optimization/lightning_optimizer.ts";
import type { EvaluationStep, Optimize } from "./optimization/compiled.ts";
import type { SchedulerConfig } from "./optimization/optimizer_config.ts";
import type { FitProgress } from "./progress.ts";
import type { RunningStage, Stage } from "./stage.ts";
import type { StopControl } from "./stop_control.ts";
import type { Trainer } from "./trainer.ts";
import type { TrainerConfig } from "./trainer_options.ts";
import type { Fabric } from "../fabric/fabric.ts";
import type { FabricModule } from "../fabric/fabric_module.ts";

/** What one call of `fit`, `validate`, `test` or `predict` works with: what the loops are given. */
export interface Session {
  readonly trainer: Trainer;
  readonly fabric: Fabric;
  readonly config: TrainerConfig;
  readonly task: Stage;
  /** The user's object. */
  readonly module: LightningModule;
  /** The same, as `fabric.setup` made it ready: its steps are recorded in train mode. */
  readonly model: FabricModule<LightningModule>;
  readonly datamodule: LightningDataModule | undefined;
  readonly hooks: HookCaller;
  readonly metrics: MetricConnector;
  readonly progress: FitProgress;
  readonly loaders: LoaderSet;
  readonly stop: StopControl;
  /** Checkpoints that are being written. */
  readonly saves: BackgroundSaves;
  optimizers: readonly LightningOptimizer[];
  /** Trains on one batch, if the module optimizes automatically. */
  readonly optimize: Optimize;
  /** Runs a step of validation or test on one batch. */
  evaluationStep(name: "validationStep" | "testStep"): EvaluationStep;
  schedulers: readonly SchedulerConfig[];
  /** Which loop runs. */
  stage: RunningStage | undefined;
  /** Batches whose gradients make one step. A callback may change it between epochs. */
  accumulateGradBatches: number;
  /** An optimizer was stepped by hand in the batch at hand. */
  steppedByHand: boolean;
  /** What `predictStep` gave on this rank, by loader and batch. */
  predictions: unknown[][];
  /** Batches of the accumulation window that this rank had. */
  batchesInWindow: number;
  /** True while the last batch of an epoch is out. */
  isLastBatch: boolean;
}
