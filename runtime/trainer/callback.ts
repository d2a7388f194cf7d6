import type { LightningModule } from "./lightning_module.ts";
import type { Stage } from "./stage.ts";
import type { Trainer } from "./trainer.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import type { FabricOptimizer } from "../fabric/fabric_optimizer.ts";
import type { StateDict } from "../tensor/state.ts";
import type { tf } from "../tensor/tf.ts";

/** What a hook may return: nothing, now or later. The Trainer waits for it. */
export type HookResult = void | Promise<void>;

/** What `trainingStep` gave, as hooks see it: the loss among whatever else it returned. */
export type StepOutput = tf.Tensor | ({ loss: tf.Tensor } & Record<string, unknown>) | null | undefined | void;

/** When a callback's hooks run among those of the others. */
export type CallbackOrder = "first" | "normal" | "monitor" | "checkpoint";

/**
 * Code that runs at points of a training, apart from the model. Override the hooks that you need; those that are not overridden cost
 * nothing. Each hook runs before the module's of the same name, callbacks in the order in which they were given.
 *
 * A callback with state returns it from `stateDict()`: it is saved in every checkpoint and given back on resuming.
 *
 * @example
 * ```ts
 * class Counter extends Callback {
 *   batches = 0;
 *   override onTrainBatchEnd() {
 *     this.batches++;
 *   }
 * }
 * console.assert(new Counter().stateKey === "Counter");
 * ```
 */
export class Callback {
  /** Under which its state is saved. Two callbacks of a class with state must give different ones. Default: the class's name. */
  get stateKey(): string {
    return this.constructor.name;
  }

  /**
   * `"first"` for what changes the training before it starts, `"monitor"` for what decides by metrics (its `onTrainEpochEnd` runs after
   * the module's), `"checkpoint"` for what saves (it runs last, after the module). Default: `"normal"`.
   */
  get order(): CallbackOrder {
    return "normal";
  }

  /** State to save, or undefined if there is none. */
  stateDict(): StateDict | undefined {
    return undefined;
  }
  /** Takes back what `stateDict()` gave. Called before `configureOptimizers`. */
  loadStateDict(_state: StateDict): void {}

  /** Called on every rank before the model is made ready, and `teardown` after everything else of a run that did not fail. */
  setup(_trainer: Trainer, _module: LightningModule, _stage: Stage): HookResult {}
  teardown(_trainer: Trainer, _module: LightningModule, _stage: Stage): HookResult {}

  onFitStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onFitEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onSanityCheckStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onSanityCheckEnd(_trainer: Trainer, _module: LightningModule): HookResult {}

  onTrainStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTrainEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTrainEpochStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTrainEpochEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTrainBatchStart(_trainer: Trainer, _module: LightningModule, _batch: unknown, _batchIdx: number): HookResult {}
  /**
   * `outputs` is what `trainingStep` returned; its tensors are freed with the batch. Called on every rank: on one that has run out of batches
   * while others have some, `outputs` and `batch` are undefined, and `onTrainBatchStart` was not called.
   */
  onTrainBatchEnd(
    _trainer: Trainer,
    _module: LightningModule,
    _outputs: StepOutput,
    _batch: unknown,
    _batchIdx: number,
  ): HookResult {}

  onValidationStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onValidationEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onValidationEpochStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onValidationEpochEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onValidationBatchStart(
    _trainer: Trainer,
    _module: LightningModule,
    _batch: unknown,
    _batchIdx: number,
    _dataloaderIdx: number,
  ): HookResult {}
  onValidationBatchEnd(
    _trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    _batch: unknown,
    _batchIdx: number,
    _dataloaderIdx: number,
  ): HookResult {}

  onTestStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTestEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTestEpochStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTestEpochEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onTestBatchStart(
    _trainer: Trainer,
    _module: LightningModule,
    _batch: unknown,
    _batchIdx: number,
    _dataloaderIdx: number,
  ): HookResult {}
  onTestBatchEnd(
    _trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    _batch: unknown,
    _batchIdx: number,
    _dataloaderIdx: number,
  ): HookResult {}

  onPredictStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onPredictEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onPredictEpochStart(_trainer: Trainer, _module: LightningModule): HookResult {}
  onPredictEpochEnd(_trainer: Trainer, _module: LightningModule): HookResult {}
  onPredictBatchStart(
    _trainer: Trainer,
    _module: LightningModule,
    _batch: unknown,
    _batchIdx: number,
    _dataloaderIdx: number,
  ): HookResult {}
  onPredictBatchEnd(
    _trainer: Trainer,
    _module: LightningModule,
    _outputs: unknown,
    _batch: unknown,
    _batchIdx: number,
    _dataloaderIdx: number,
  ): HookResult {}

  onBeforeZeroGrad(_trainer: Trainer, _module: LightningModule, _optimizer: FabricOptimizer): HookResult {}
  onBeforeBackward(_trainer: Trainer, _module: LightningModule, _loss: tf.Tensor): HookResult {}
  onAfterBackward(_trainer: Trainer, _module: LightningModule): HookResult {}
  onBeforeOptimizerStep(_trainer: Trainer, _module: LightningModule, _optimizer: FabricOptimizer): HookResult {}

  /** The run fails with `error`, or was interrupted (`trainer.interrupted`). Ranks are not in step here: no collectives. */
  onException(_trainer: Trainer, _module: LightningModule, _error: unknown): HookResult {}
  /** May add to `checkpoint` or change it before it is written. */
  onSaveCheckpoint(_trainer: Trainer, _module: LightningModule, _checkpoint: CheckpointState): HookResult {}
  onLoadCheckpoint(_trainer: Trainer, _module: LightningModule, _checkpoint: CheckpointState): HookResult {}
}
