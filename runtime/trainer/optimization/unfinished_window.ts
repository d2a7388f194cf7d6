import type { Session } from "../session.ts";
import { gradientOf, setGradient } from "../../tensor/gradients.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import { hasGradients, type Window } from "./automatic.ts";

/** Takes the step of an accumulation window that ended because the data did. Its gradients become the mean of the batches that it has. */
export async function finishWindow(session: Session): Promise<void> {
  const { module, progress, accumulateGradBatches } = session;
  const batches = progress.microBatch;
  progress.microBatch = 0;
  if (!session.optimizers[0] || !module.automaticOptimization || !hasGradients(session)) return;
  scaleGradients(session, accumulateGradBatches / batches);
  await step(session, progress.batch - 1);
  progress.globalStep++;
  progress.optimizerSteps++;
}

/**
 * In place of a batch, on a rank that has none left: at the end of the window it takes part in the reduction of the others, with the gradients of
 * the batches that it had in it if any, and takes the same step.
 * @returns whether it stepped; undefined if no rank has batches any more
 */
export async function trainWithoutBatch(session: Session, window: Window): Promise<boolean | undefined> {
  const { hooks, module, model, fabric, progress } = session;
  const [optimizer] = session.optimizers;
  if (window.isFirst && optimizer) {
    await hooks.call("onBeforeZeroGrad", optimizer);
    await hooks.module("optimizerZeroGrad", () => module.optimizerZeroGrad(progress.epoch, progress.batch, optimizer));
  }
  fabric.countSamples(0);
  if (!window.isLast) return false;
  if (session.batchesInWindow > 0) scaleGradients(session, window.size / session.batchesInWindow);
  if (!await fabric.backwardWithoutBatch({ model })) return undefined;
  if (!optimizer) return false;
  await step(session, progress.batch);
  return true;
}

function scaleGradients({ module }: Session, factor: number): void {
  for (const variable of module.parameters()) {
    const gradient = gradientOf(variable);
    if (gradient && factor !== 1) setGradient(variable, noGrad(() => tf.mul(gradient, factor)));
  }
}

/** A step with the gradients that are there. */
async function step(session: Session, batchIdx: number): Promise<void> {
  const { hooks, module, progress, config } = session;
  const [optimizer] = session.optimizers;
  await hooks.module(
    "optimizerStep",
    () =>
      module.optimizerStep(progress.epoch, batchIdx, optimizer, async () => {
        await hooks.call("onBeforeOptimizerStep", optimizer);
        const { gradientClipVal, gradientClipAlgorithm } = config;
        await module.configureGradientClipping(optimizer, { gradientClipVal, gradientClipAlgorithm });
      }),
  );
}
