import type { Session } from "../session.ts";
import { info, warn } from "../../core/messages.ts";

/** True if the least number of epochs and steps is done, so that a wish to stop may be followed. */
export function canStop({ config, progress }: Session): boolean {
  return progress.epoch >= config.minEpochs && progress.globalStep >= config.minSteps;
}

/** Why the training is over; undefined if it is not. Says so. */
export function isDone(session: Session, batches: number): boolean {
  const { config, progress, stop } = session;
  if (batches === 0) {
    info("`Trainer.fit` stopped: No training batches.");
    return true;
  }
  if (progress.globalStep >= config.maxSteps) {
    info(`\`Trainer.fit\` stopped: \`max_steps=${config.maxSteps}\` reached.`);
    return true;
  }
  if (progress.epoch >= config.maxEpochs) {
    info(`\`Trainer.fit\` stopped: \`max_epochs=${config.maxEpochs}\` reached.`);
    return true;
  }
  if (!stop.shouldStop) return false;
  if (canStop(session)) return true;
  const { minEpochs, minSteps } = config;
  warn(
    "stop-too-early",
    `Trainer was signaled to stop but the required \`min_epochs=${minEpochs || "None"}\` or \`min_steps=${
      minSteps || "None"
    }\` has not been met. ` +
      "Training will continue...",
  );
  return false;
}
