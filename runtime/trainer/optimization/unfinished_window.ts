import type { Session } from "../session.ts";
import { gradientOf, setGradient } from "../../tensor/gradients.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import { hasGradients } from "./automatic.ts";

/** Takes the step of an accumulation window that ended because the data did. Its gradients become the mean of the batches that it has. */
export async function finishWindow(session: Session): Promise<void> {
  const { hooks, module, progress, config, accumulateGradBatches } = session;
  const optimizer = session.optimizers[0];
  const factor = accumulateGradBatches / progress.microBatch;
  progress.microBatch = 0;
  if (!optimizer || !module.automaticOptimization || !hasGradients(session)) return;
  for (const variable of module.parameters()) {
    const gradient = gradientOf(variable);
    if (gradient) setGradient(variable, noGrad(() => tf.mul(gradient, factor)));
  }
  await hooks.module(
    "optimizerStep",
    () =>
      module.optimizerStep(progress.epoch, progress.batch - 1, optimizer, async () => {
        await hooks.call("onBeforeOptimizerStep", optimizer);
        const { gradientClipVal, gradientClipAlgorithm } = config;
        await module.configureGradientClipping(optimizer, { gradientClipVal, gradientClipAlgorithm });
      }),
  );
  progress.globalStep++;
  progress.optimizerSteps++;
}
