import type { LogOptions } from "./logging/log_options.ts";
import type { Loggable } from "./logging/loggable.ts";
import type { LightningModule } from "./lightning_module.ts";
import type { LightningOptimizer } from "./optimization/lightning_optimizer.ts";
import type { SchedulerConfig } from "./optimization/optimizer_config.ts";
import type { Trainer } from "./trainer.ts";
import type { tf } from "../tensor/tf.ts";

/** What a LightningModule needs of the Trainer that runs it. */
export interface ModuleHost {
  readonly trainer: Trainer;
  log(module: LightningModule, metrics: Readonly<Record<string, Loggable>>, options: LogOptions): void;
  optimizers(): readonly LightningOptimizer[];
  lrSchedulers(): readonly SchedulerConfig[];
  manualBackward(loss: tf.Tensor): Promise<void>;
  clipGradients(optimizer: LightningOptimizer, options: GradientClipping): Promise<void>;
}

/** How gradients are clipped. Without a value they are not. */
export interface GradientClipping {
  /** The largest norm, or the largest absolute value of an element. */
  gradientClipVal?: number;
  /** Whether the norm of all gradients or every element is limited. Default: `"norm"`. */
  gradientClipAlgorithm?: "norm" | "value";
}
