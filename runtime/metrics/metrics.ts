export { type GatherStates, Metric, type Totals } from "./metric.ts";
export {
  type AccumulatorOptions,
  mergeStates,
  type MetricState,
  type MetricStateEntry,
  type Reduction,
} from "./metric_state.ts";
export { type CollectionValues, MetricCollection } from "./metric_collection.ts";
export { MaxMetric } from "./aggregation/max_metric.ts";
export { MeanMetric } from "./aggregation/mean_metric.ts";
export { MinMetric } from "./aggregation/min_metric.ts";
export { SumMetric } from "./aggregation/sum_metric.ts";
export { Accuracy, type AccuracyOptions } from "./classification/accuracy.ts";
export { AUROC } from "./classification/auroc.ts";
export { AveragePrecision } from "./classification/average_precision.ts";
export { ConfusionMatrix, type ConfusionMatrixOptions } from "./classification/confusion_matrix.ts";
export type { CurveOptions } from "./classification/curve_metric.ts";
export { F1Score } from "./classification/f1_score.ts";
export { type FBetaOptions, FBetaScore } from "./classification/fbeta_score.ts";
export { Perplexity, type PerplexityOptions } from "./classification/perplexity.ts";
export { Precision } from "./classification/precision.ts";
export { Recall } from "./classification/recall.ts";
export type { Average, AveragedOptions, ClassificationOptions, Task } from "./classification/task.ts";
export { TopKAccuracy, type TopKAccuracyOptions } from "./classification/top_k_accuracy.ts";
export { MeanAbsoluteError } from "./regression/mean_absolute_error.ts";
export { MeanSquaredError, type MeanSquaredErrorOptions } from "./regression/mean_squared_error.ts";
export { R2Score, type R2ScoreOptions } from "./regression/r2_score.ts";
