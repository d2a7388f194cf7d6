import type { Callback } from "./callback.ts";
import { CheckpointCallback } from "./checkpoint_callback.ts";
import { ModelCheckpoint } from "./callbacks/model_checkpoint.ts";
import { ModelSummary } from "./callbacks/model_summary.ts";
import { ProgressBarCallback } from "./callbacks/progress_bar_callback.ts";
import type { TrainerConfig } from "./trainer_options.ts";

/**
 * The callbacks of a Trainer: those given, and those that the options ask for and nobody gave.
 * @throws TypeError for one that the options switch off
 */
export function defaultCallbacks(config: TrainerConfig, given: readonly Callback[]): readonly Callback[] {
  const all = [...given];
  const bar = given.find((callback) => callback instanceof ProgressBarCallback);
  if (bar && !config.enableProgressBar) reject(bar, "enableProgressBar");
  if (!bar && config.enableProgressBar) all.push(new ProgressBarCallback());
  const hasSummary = given.some((callback) => callback instanceof ModelSummary);
  if (!hasSummary && config.enableModelSummary) all.push(new ModelSummary());
  const saves = given.find((callback) => callback instanceof CheckpointCallback);
  if (saves && !config.enableCheckpointing && !config.fastDevRun) reject(saves, "enableCheckpointing");
  if (!given.some((callback) => callback instanceof ModelCheckpoint) && config.enableCheckpointing) {
    all.push(new ModelCheckpoint());
  }
  return all;
}

function reject(callback: Callback, option: "enableProgressBar" | "enableCheckpointing"): never {
  const { name } = callback.constructor;
  throw new TypeError(
    `Trainer was configured with \`${option}: false\` but found \`${name}\` in callbacks list: leave one of them out`,
  );
}
