import type { Callback } from "./callback.ts";
import type { TrainerConfig } from "./trainer_options.ts";

/** The callbacks of a Trainer: those given, and what the options add. */
export function defaultCallbacks(_config: TrainerConfig, given: readonly Callback[]): readonly Callback[] {
  return given;
}
