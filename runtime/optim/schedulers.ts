/** Learning-rate schedulers, named as in torch.optim.lr_scheduler. */
export { CosineAnnealingLR, type CosineAnnealingLROptions } from "./schedulers/cosine_annealing_lr.ts";
export {
  CosineAnnealingWarmRestarts,
  type CosineAnnealingWarmRestartsOptions,
} from "./schedulers/cosine_annealing_warm_restarts.ts";
export { ExponentialLR, type ExponentialLROptions } from "./schedulers/exponential_lr.ts";
export { LambdaLR, type LambdaLROptions } from "./schedulers/lambda_lr.ts";
export { LinearLR, type LinearLROptions } from "./schedulers/linear_lr.ts";
export { LRScheduler } from "./schedulers/lr_scheduler.ts";
export { MultiStepLR, type MultiStepLROptions } from "./schedulers/multi_step_lr.ts";
export { OneCycleLR, type OneCycleLROptions } from "./schedulers/one_cycle_lr.ts";
export { PolynomialLR, type PolynomialLROptions } from "./schedulers/polynomial_lr.ts";
export type { RateOwner } from "./schedulers/rate.ts";
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from "./schedulers/reduce_lr_on_plateau.ts";
export { SequentialLR, type SequentialLROptions } from "./schedulers/sequential_lr.ts";
export { StepLR, type StepLROptions } from "./schedulers/step_lr.ts";
export { WarmupLR, type WarmupLROptions } from "./schedulers/warmup_lr.ts";
