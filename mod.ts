/**
 * Weft: training loops, a rank launcher and gradients averaged over ZeroMQ, for TypeScript on Deno with TensorFlow.js.
 *
 * @module
 */
export { tf } from "./runtime/tensor/tf.ts";

export { Fabric } from "./runtime/fabric/fabric.ts";
export type { ClipGradientsOptions, FabricOptimizers, Model, SaveOptions } from "./runtime/fabric/fabric.ts";
export type { DevicesOption, FabricOptions } from "./runtime/fabric/options.ts";
export type { StopRequest } from "./runtime/fabric/stop_signals.ts";
export type { FabricModule } from "./runtime/fabric/fabric_module.ts";
export type { FabricOptimizer } from "./runtime/fabric/fabric_optimizer.ts";
export type { SetupDataloadersOptions } from "./runtime/fabric/setup_dataloaders.ts";
export type { StateFilter } from "./runtime/fabric/checkpoint_state.ts";
export type { Device } from "./runtime/fabric/device.ts";
export type { CompileOptions } from "./runtime/fabric/compile.ts";
export type { CompileMode } from "./runtime/compile/compile_mode.ts";
export type { Gathered } from "./runtime/fabric/tree_collectives.ts";

export { Trainer } from "./runtime/trainer/trainer.ts";
export { StoppedError } from "./runtime/trainer/stopped_error.ts";
export type {
  EvaluateOptions,
  FitOptions,
  FitOutcome,
  PredictOptions,
  SaveCheckpointOptions,
} from "./runtime/trainer/trainer.ts";
export type { BatchLimit, TrainerOptions } from "./runtime/trainer/trainer_options.ts";
export { LightningModule } from "./runtime/trainer/lightning_module.ts";
export { LightningDataModule } from "./runtime/trainer/lightning_data_module.ts";
export type { SaveHyperparametersOptions } from "./runtime/trainer/hyperparameters.ts";
export type { GradientClipping } from "./runtime/trainer/module_host.ts";
export type { Profiler } from "./runtime/trainer/profiler.ts";
export type { Duration } from "./runtime/trainer/duration.ts";
export type { Loggable, MetricLike } from "./runtime/trainer/logging/loggable.ts";
export type { Metrics } from "./runtime/trainer/logging/metric_connector.ts";
export type { LogOptions, ReduceFx } from "./runtime/trainer/logging/log_options.ts";
export type { CheckpointState } from "./runtime/trainer/checkpoint_state.ts";
export type { RunningStage, Stage } from "./runtime/trainer/stage.ts";
export type { Batches, Loaders } from "./runtime/trainer/lightning_module.ts";
export type { CallbackOrder, HookResult, StepOutput } from "./runtime/trainer/callback.ts";
export type {
  AnyOptimizer,
  LrSchedulerOptions,
  OptimizerConfiguration,
  OptimizerOptions,
  SchedulerGiven,
  SchedulerLike,
} from "./runtime/trainer/optimization/optimizer_config.ts";
export type { LightningOptimizer } from "./runtime/trainer/optimization/lightning_optimizer.ts";
export type { RehearseOptions } from "./runtime/trainer/optimization/rehearse.ts";
export type { ModelCheckpointOptions } from "./runtime/trainer/callbacks/checkpoint_options.ts";
export { CheckpointCallback } from "./runtime/trainer/checkpoint_callback.ts";
export { Callback } from "./runtime/trainer/callback.ts";
export { BackboneFinetuning, type BackboneFinetuningOptions } from "./runtime/trainer/callbacks/backbone_finetuning.ts";
export { BatchSizeFinder, type BatchSizeFinderOptions } from "./runtime/trainer/callbacks/batch_size_finder.ts";
export {
  DeviceStatsMonitor,
  type DeviceStatsMonitorOptions,
} from "./runtime/trainer/callbacks/device_stats_monitor.ts";
export { EarlyStopping } from "./runtime/trainer/callbacks/early_stopping.ts";
export type { EarlyStoppingOptions, StoppedReason } from "./runtime/trainer/callbacks/early_stopping.ts";
export {
  EMAWeightAveraging,
  type EMAWeightAveragingOptions,
} from "./runtime/trainer/callbacks/ema_weight_averaging.ts";
export { GradientAccumulationScheduler } from "./runtime/trainer/callbacks/gradient_accumulation_scheduler.ts";
export { LambdaCallback } from "./runtime/trainer/callbacks/lambda_callback.ts";
export {
  LearningRateFinder,
  type LearningRateFinderOptions,
} from "./runtime/trainer/callbacks/learning_rate_finder.ts";
export {
  LearningRateMonitor,
  type LearningRateMonitorOptions,
} from "./runtime/trainer/callbacks/learning_rate_monitor.ts";
export { ModelCheckpoint } from "./runtime/trainer/callbacks/model_checkpoint.ts";
export { ModelSummary } from "./runtime/trainer/callbacks/model_summary.ts";
export {
  OnExceptionCheckpoint,
  type OnExceptionCheckpointOptions,
} from "./runtime/trainer/callbacks/on_exception_checkpoint.ts";
export { PredictionWriter } from "./runtime/trainer/callbacks/prediction_writer.ts";
export type { PredictedBatch, PredictionWriterOptions } from "./runtime/trainer/callbacks/prediction_writer.ts";
export {
  ProgressBarCallback,
  type ProgressBarCallbackOptions,
} from "./runtime/trainer/callbacks/progress_bar_callback.ts";
export {
  StochasticWeightAveraging,
  type StochasticWeightAveragingOptions,
} from "./runtime/trainer/callbacks/stochastic_weight_averaging.ts";
export { ThroughputMonitor, type ThroughputMonitorOptions } from "./runtime/trainer/callbacks/throughput_monitor.ts";
export { Timer } from "./runtime/trainer/callbacks/timer.ts";
export type { TimedStage, TimerOptions } from "./runtime/trainer/callbacks/timer.ts";
export { summarize } from "./runtime/trainer/callbacks/summarize.ts";
export type { SummarizeOptions } from "./runtime/trainer/callbacks/summarize.ts";

export { DDPStrategy, type DDPStrategyOptions } from "./strategies/ddp.ts";
export { LocalSGDStrategy, type LocalSGDStrategyOptions } from "./strategies/local_sgd.ts";
export { SingleDeviceStrategy } from "./strategies/single_device.ts";
export type { Strategy, StrategyName } from "./strategies/strategy.ts";
export type { RankFlag } from "./strategies/rank_flags.ts";
export type { CollectiveOptions, PurposeOptions, ReduceOp, RootOptions } from "./runtime/comm/process_group.ts";
export type { WaitOptions } from "./runtime/comm/store.ts";
export type { ProcessGroupName } from "./runtime/core/process_group_name.ts";

export { loadAccelerator } from "./runtime/fabric/load_accelerator.ts";
export type {
  Accelerator,
  AcceleratorName,
  Capabilities,
  LoadedAccelerator,
  LoadOptions,
  Probe,
} from "./runtime/accelerators/accelerator.ts";
export { availableAccelerators } from "./runtime/accelerators/available_accelerators.ts";
export { selectAccelerator, type SelectAcceleratorOptions } from "./runtime/accelerators/select_accelerator.ts";
export { resolvePrecision } from "./runtime/precision/resolve_precision.ts";
export type { ResolvePrecisionOptions } from "./runtime/precision/resolve_precision.ts";
export type { Precision as PrecisionName } from "./runtime/precision/precision.ts";
export type { HalfFormat } from "./runtime/precision/half_floats.ts";

export { backwardOf, noGrad } from "./runtime/tensor/tape.ts";
export { hold, release, TensorScope, withScope } from "./runtime/tensor/scope.ts";
export { gradientOf } from "./runtime/tensor/gradients.ts";
export { mapTensors } from "./runtime/tensor/tree.ts";

export { Module } from "./runtime/nn/module.ts";
export { asModule, LayersModule } from "./runtime/nn/layers_module.ts";
export { exportLayersModel, importLayersModel, loadLayersWeights } from "./runtime/nn/keras.ts";
export * from "./runtime/nn/functional.ts";

export type { Optimizer } from "./runtime/optim/optimizer.ts";
export { Adam, type AdamOptions } from "./runtime/optim/adam.ts";
export { AdamW } from "./runtime/optim/adam_w.ts";
export { SGD, type SGDOptions } from "./runtime/optim/sgd.ts";
export type { ParameterGroup } from "./runtime/optim/gradient_optimizer.ts";
export { clipGradientsByNorm, clipGradientsByValue } from "./runtime/optim/clip.ts";
export type { ClipByNormOptions } from "./runtime/optim/clip.ts";
export * from "./runtime/optim/schedulers.ts";

export { DataLoader, type DataLoaderOptions } from "./runtime/data/data_loader.ts";
export type { SampleTransform } from "./runtime/data/loader_options.ts";
export type { BatchRequest, Dataset, HostBatch, IterableDataset, SampleContext } from "./runtime/data/dataset.ts";
export { TensorDataset } from "./runtime/data/tensor_dataset.ts";
export { Subset } from "./runtime/data/subset.ts";
export { ConcatDataset } from "./runtime/data/concat_dataset.ts";
export { randomSplit } from "./runtime/data/random_split.ts";
export type { RandomSplitOptions } from "./runtime/data/random_split.ts";
export { MNIST, type MNISTOptions } from "./runtime/data/mnist.ts";
export { datasetFromModule, type ModuleReference } from "./runtime/data/module_dataset.ts";
export { collate } from "./runtime/data/collate.ts";
export { hostTensor } from "./runtime/data/host_values.ts";
export * from "./runtime/data/samplers.ts";
export * from "./runtime/data/transforms.ts";

export * from "./runtime/metrics/metrics.ts";

export { CSVLogger, type CSVLoggerOptions } from "./runtime/loggers/csv_logger.ts";
export { JSONLinesLogger, type JSONLinesLoggerOptions } from "./runtime/loggers/json_lines_logger.ts";
export { TensorBoardLogger, type TensorBoardLoggerOptions } from "./runtime/loggers/tensorboard_logger.ts";
export { MLflowLogger, type MLflowLoggerOptions } from "./runtime/loggers/mlflow_logger.ts";
export { ConsoleLogger, type ConsoleLoggerOptions } from "./runtime/loggers/console_logger.ts";
export type { Logger } from "./runtime/loggers/logger.ts";
export { ProgressBar, type ProgressBarOptions } from "./runtime/progress/progress_bar.ts";
export type { ProgressStream, ProgressUpdateOptions } from "./runtime/progress/progress_bar.ts";

export { readCheckpoint } from "./runtime/checkpoint/read_checkpoint.ts";
export type { ReadCheckpointOptions } from "./runtime/checkpoint/read_checkpoint.ts";
export { readCheckpointHeader } from "./runtime/checkpoint/read_checkpoint_header.ts";
export type { CheckpointHeader } from "./runtime/checkpoint/read_checkpoint_header.ts";
export type { TensorInfo } from "./runtime/checkpoint/header.ts";
export { writeCheckpoint } from "./runtime/checkpoint/write_checkpoint.ts";
export type { WriteCheckpointOptions } from "./runtime/checkpoint/write_checkpoint.ts";
export type { HostArray, HostDtype, HostTensor } from "./runtime/tensor/host_tensor.ts";
export type { StateDict, Stateful, StateLeaf, StateTree } from "./runtime/tensor/state.ts";

export { seed_everything, seedEverything, type SeedOptions } from "./runtime/seed/seed_everything.ts";
export { deriveSeed } from "./runtime/seed/derive_seed.ts";
export { Random } from "./runtime/seed/random.ts";
export type { RandomState } from "./runtime/seed/random.ts";

export { silenceWarnings } from "./runtime/core/messages.ts";
export * from "./runtime/core/errors.ts";
