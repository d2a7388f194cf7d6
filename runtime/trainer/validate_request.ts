import { overrides } from "./hooks.ts";
import { LightningModule } from "./lightning_module.ts";
import type { RunRequest } from "./run.ts";
import type { TrainerConfig } from "./trainer_options.ts";

/** Checks that what was asked for can be done with the model and the options. @throws TypeError or Error that says what to change */
export function validateRequest(config: TrainerConfig, request: RunRequest): void {
  const { task, model, datamodule, given } = request;
  if (!(model instanceof LightningModule)) {
    throw new TypeError(
      `\`trainer.${task}\` takes a LightningModule, but got ${
        model === null || typeof model !== "object" ? String(model) : (model as object).constructor.name
      }: extend \`LightningModule\`, or train other models with Fabric`,
    );
  }
  if (datamodule && Object.values(given).some((loaders) => loaders !== undefined)) {
    throw new TypeError(`You cannot pass both loaders and a datamodule to \`trainer.${task}\`: leave one of them out`);
  }
  const has = (name: keyof LightningModule) => overrides(model, LightningModule.prototype, name as string);
  if (task === "fit") {
    if (!has("trainingStep")) missing("trainingStep");
    if (!has("configureOptimizers")) missing("configureOptimizers");
    for (const removed of ["trainingEpochEnd", "validationEpochEnd"]) {
      if (removed in model) {
        throw new Error(
          `\`${removed}\` is not called: write \`on${removed[0].toUpperCase()}${
            removed.slice(1)
          }\` and keep what you need of the steps in a field`
            .replace("onTrainingEpochEnd", "onTrainEpochEnd"),
        );
      }
    }
    if (!model.automaticOptimization) {
      if (config.gradientClipVal !== undefined) {
        throw new Error(
          "Automatic gradient clipping is not supported for manual optimization. Remove `gradientClipVal` from the Trainer, or switch to " +
            "automatic optimization; `this.clipGradients(optimizer, …)` clips by hand.",
        );
      }
      if (config.accumulateGradBatches > 1) {
        throw new Error(
          "Automatic gradient accumulation is not supported for manual optimization. Remove `accumulateGradBatches` from the Trainer, or " +
            "switch to automatic optimization.",
        );
      }
    }
  } else if (task !== "predict") {
    const step = task === "validate" ? "validationStep" : "testStep";
    if (!has(step)) {
      throw new Error(
        `No \`${step}()\` method defined to run \`Trainer.${task}\`: write one in \`${model.constructor.name}\``,
      );
    }
  }

  function missing(method: string): never {
    throw new Error(
      `No \`${method}()\` method defined in \`${model.constructor.name}\`. The Trainer expects as minimum a \`trainingStep()\`, training data ` +
        "and `configureOptimizers()` to be defined.",
    );
  }
}
