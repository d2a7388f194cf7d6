import type { Session } from "../session.ts";
import { warn } from "../../core/messages.ts";

/** When schedulers are advanced. */
export interface SchedulerMoment {
  interval: "epoch" | "step";
  /** Those that watch a metric, or those that do not. */
  plateau: boolean;
}

/** Advances the schedulers of automatic optimization that are due. @throws Error if one's metric was not logged */
export async function stepSchedulers(session: Session, { interval, plateau }: SchedulerMoment): Promise<void> {
  const { schedulers, progress, hooks, module, metrics } = session;
  if (!module.automaticOptimization) return;
  for (const config of schedulers) {
    if (config.interval !== interval || config.reduceOnPlateau !== plateau) continue;
    const count = interval === "step" ? progress.globalStep : progress.epoch + 1;
    if (count % config.frequency !== 0) continue;
    let metric: number | undefined;
    if (plateau && config.monitor !== undefined) {
      if (interval === "step") await metrics.readSteps();
      // One number for all: with another learning rate a rank would take another step.
      metric = (await metrics.agreed(config.monitor))?.value;
      if (metric === undefined) {
        const known = Object.keys(metrics.callback).join("`, `") || "nothing was logged";
        const text =
          `the learning-rate scheduler is conditioned on the metric \`${config.monitor}\`, which is not available. ` +
          `Available metrics are: \`${known}\`. Log it, or set \`monitor\` in \`configureOptimizers\``;
        if (config.strict) throw new Error(text);
        warn(`scheduler-metric:${config.monitor}`, text);
        continue;
      }
    }
    await hooks.module("lrSchedulerStep", () => module.lrSchedulerStep(config.scheduler, metric));
  }
}
