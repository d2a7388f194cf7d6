import type { Callback } from "../callback.ts";
import { CheckpointCallback } from "../checkpoint_callback.ts";
import type { TrainerConfig } from "../trainer_options.ts";
import { ModelCheckpoint } from "./model_checkpoint.ts";
import { ModelSummary } from "./model_summary.ts";
import { ProgressBarCallback } from "./progress_bar_callback.ts";

/**
 * The callbacks given to a Trainer with those it adds of its own accord: a model summary, a progress bar and a checkpoint of the newest
 * epoch, unless there is one or it is turned off.
 * @throws TypeError if one is given that is turned off
 */
export function defaultCallbacks(config: TrainerConfig, given: readonly Callback[]): readonly Callback[] {
  const all = [...given];
  const bars = given.filter((callback) => callback instanceof ProgressBarCallback);
  if (bars.length > 1) {
    throw new TypeError("`Trainer({ callbacks })` has several progress bars: leave one");
  }
  const checkpoints = given.filter((callback) => callback instanceof CheckpointCallback);
  // A fast run turns checkpoints off by itself, which is no contradiction.
  if (checkpoints.length > 0 && !config.enableCheckpointing && config.fastDevRun === 0) {
    throw new TypeError(contradiction(config, "enableCheckpointing", checkpoints[0]));
  }
  if (bars.length > 0 && !config.enableProgressBar) {
    throw new TypeError(contradiction(config, "enableProgressBar", bars[0]));
  }
  const summaries = given.filter((callback) => callback instanceof ModelSummary);
  if (config.enableModelSummary && summaries.length === 0) all.push(new ModelSummary());
  if (config.enableProgressBar && bars.length === 0) all.push(new ProgressBarCallback());
  if (config.enableCheckpointing && !given.some((callback) => callback instanceof ModelCheckpoint)) {
    all.push(new ModelCheckpoint());
  }
  return all;
}

function contradiction({ barebones }: TrainerConfig, option: string, { constructor }: Callback): string {
  const setting = barebones ? "barebones: true" : `${option}: false`;
  return `Trainer was configured with \`${setting}\` but found \`${constructor.name}\` in callbacks list: leave one of them out`;
}
