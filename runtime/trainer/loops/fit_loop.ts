import type { Session } from "../session.ts";
import type { LightningModule } from "../lightning_module.ts";
import { agreeOnWeights, checkKnownLength } from "../optimization/agree_on_weights.ts";
import { stepSchedulers } from "../optimization/schedulers.ts";
import { isDone } from "./fit_end.ts";
import { trainEpoch } from "./training_epoch_loop.ts";
import { ValidationPlan } from "./validation_plan.ts";
import { withScope } from "../../tensor/scope.ts";
import { warn } from "../../core/messages.ts";

/** Trains epoch after epoch until something ends it. */
export async function runFit(session: Session): Promise<void> {
  const { hooks, progress, loaders, config, module, stop, metrics } = session;
  let [loader] = await loaders.get("train");
  if (!loader) return void isDone(session, 0);
  if (progress.phase === "end") {
    metrics.resetTraining();
    progress.nextEpoch();
  }
  checkKnownLength(session, loader.batches);
  if (isDone(session, loader.batches)) return;
  let plan = planFor(session, loader.batches);
  const startedEpochs = progress.epoch;

  session.stage = "train";
  warnOfEvalMode(module);
  await hooks.call("onTrainStart");
  do {
    const every = config.reloadDataloadersEveryNEpochs;
    const isNewEpoch = progress.phase === "start" && progress.epoch > startedEpochs;
    if (isNewEpoch && every > 0 && progress.epoch % every === 0) {
      loaders.forget("train");
      loaders.forget("validate");
    }
    if (loaders.known("train").length === 0) {
      [loader] = await loaders.get("train");
      plan = planFor(session, loader.batches);
    }
    const complete = await trainEpoch(session, loader, plan);
    await agreeOnWeights(session);
    await withScope(async () => {
      await hooks.callPart("first", "onTrainEpochEnd");
      await metrics.endEpoch({ loaders: 1, write: config.logEveryNSteps > 0 });
      await hooks.callPart("monitors", "onTrainEpochEnd");
      if (complete) await stepSchedulers(session, { interval: "epoch", plateau: true });
      if (complete) progress.phase = "end";
      await hooks.callPart("checkpoints", "onTrainEpochEnd");
    });
    await stop.agree();
    if (complete) {
      metrics.resetTraining();
      progress.nextEpoch();
    }
  } while (!isDone(session, loader.batches));
  await hooks.call("onTrainEnd");
}

/** True if there is something to validate with, on something. */
export function canValidate({ loaders, hooks, config }: Session): boolean {
  return hooks.overrides("validationStep") && loaders.has("validate") && config.limits.validate !== 0;
}

function warnOfEvalMode(module: LightningModule): void {
  const count = module.modules().filter(({ training }) => !training).length;
  if (count === 0) return;
  warn(
    "eval-mode",
    `Found ${count} module(s) in eval mode at the start of training. This may lead to unexpected behavior during training. If this is ` +
      "intentional, you can ignore this warning.",
  );
}

function planFor(session: Session, batches: number): ValidationPlan {
  const { hooks, loaders, config } = session;
  const hasStep = hooks.overrides("validationStep"), hasData = loaders.has("validate");
  if (hasStep && !hasData) {
    warn("no-val-dataloader", "You defined a `validationStep` but have no `valDataloader`. Skipping val loop.");
  } else if (hasData && !hasStep) {
    warn("no-validation-step", "You passed in a `valDataloader` but have no `validationStep`. Skipping val loop.");
  }
  return new ValidationPlan(config, { isOn: canValidate(session), batches });
}
