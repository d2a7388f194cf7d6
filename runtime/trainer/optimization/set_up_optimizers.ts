import type { Session } from "../session.ts";
import { LightningOptimizer } from "./lightning_optimizer.ts";
import { stepByHand } from "./manual.ts";
import { finishScheduler, parseOptimizerConfiguration } from "./optimizer_config.ts";
import { warn } from "../../core/messages.ts";

/** Asks the model for its optimizers and schedulers and makes them ready. @throws Error if automatic optimization is given several */
export async function setUpOptimizers(session: Session): Promise<void> {
  const { module, model, fabric, hooks } = session;
  const given = await hooks.module("configureOptimizers", () => module.configureOptimizers());
  const parsed = parseOptimizerConfiguration(given);
  if (parsed.optimizers.length === 0) {
    warn("no-optimizer", "`LightningModule.configureOptimizers` returned nothing, this fit will run with no optimizer");
  }
  if (module.automaticOptimization && parsed.optimizers.length > 1) {
    throw new Error(
      "Training with multiple optimizers is only supported with manual optimization. Set `this.automaticOptimization = false`, then access " +
        "your optimizers in `trainingStep` with `const [opt1, opt2] = this.optimizers()`.",
    );
  }
  const made = parsed.optimizers.length === 0 ? [] : await fabric.setupOptimizers(parsed.optimizers, { model });
  session.optimizers = made.map((optimizer) =>
    new LightningOptimizer(optimizer, (stepped, closure) => stepByHand(session, stepped, closure))
  );
  session.schedulers = parsed.schedulers.map(({ options, optimizerIndex }) =>
    finishScheduler(options, optimizerIndex, session.optimizers)
  );
}
