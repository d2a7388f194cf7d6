import type { StepOutput } from "../callback.ts";
import type { Session } from "../session.ts";
import { checkGradients, checkLoss } from "./anomaly.ts";
import { gradientOf } from "../../tensor/gradients.ts";
import { discardTape } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import { warn } from "../../core/messages.ts";

/** Where a batch lies in its accumulation window. */
export interface Window {
  /** The first batch: gradients are forgotten before it. */
  readonly isFirst: boolean;
  /** The last: the parameters are updated after it. */
  readonly isLast: boolean;
  /** How many batches the window has, so that the gradient is their mean. */
  readonly size: number;
}

/** One batch of automatic optimization: loss, gradients, and at the end of the window a step. Returns what `trainingStep` returned. */
export async function optimize(
  session: Session,
  batch: unknown,
  batchIdx: number,
  window: Window,
): Promise<{ outputs: StepOutput; stepped: boolean }> {
  const { hooks, module, model, fabric, progress, config } = session;
  const optimizer = session.optimizers[0];
  let outputs: StepOutput;
  let stepped = false;

  const closure = async () => {
    outputs = await hooks.module("trainingStep", () => fabric.autocast(() => model.trainingStep(batch, batchIdx)));
    const loss = lossOf(outputs, session);
    if (window.isFirst && optimizer) {
      await hooks.call("onBeforeZeroGrad", optimizer);
      await hooks.module("optimizerZeroGrad", () => module.optimizerZeroGrad(progress.epoch, batchIdx, optimizer));
    }
    if (!loss) return discardTape();
    if (config.detectAnomaly) await checkLoss(loss, { epoch: progress.epoch, batchIdx });
    const scaled = window.size === 1 ? loss : loss.div(window.size);
    await hooks.call("onBeforeBackward", scaled);
    {
      using _ = fabric.noBackwardSync(model, !window.isLast);
      await hooks.module("backward", () => module.backward(scaled));
    }
    await hooks.call("onAfterBackward");
    if (config.detectAnomaly) await checkGradients(module, { epoch: progress.epoch, batchIdx });
    if (!window.isLast || !optimizer) return;
    await hooks.call("onBeforeOptimizerStep", optimizer);
    const { gradientClipVal, gradientClipAlgorithm } = config;
    if (gradientClipVal !== undefined || hooks.overrides("configureGradientClipping")) {
      await hooks.module(
        "configureGradientClipping",
        () => module.configureGradientClipping(optimizer, { gradientClipVal, gradientClipAlgorithm }),
      );
    }
  };

  if (!window.isLast || !optimizer) await closure();
  else {
    let ran = false;
    const once = async () => {
      ran = true;
      await closure();
    };
    await hooks.module("optimizerStep", () => module.optimizerStep(progress.epoch, batchIdx, optimizer, once));
    if (!ran) {
      throw new Error(
        `\`${module.constructor.name}.optimizerStep\` did not call its \`closure\`: \`await closure()\` computes the gradients`,
      );
    }
    // A window in which every batch was skipped has nothing to step with.
    stepped = true;
  }
  return { outputs, stepped };
}

/** The loss in what `trainingStep` returned; undefined if it skips the batch. */
function lossOf(outputs: StepOutput, { module, fabric }: Session): tf.Tensor | undefined {
  if (outputs === undefined || outputs === null) {
    if (fabric.worldSize > 1) {
      throw new Error(
        "Skipping the `trainingStep` by returning nothing in distributed training is not supported: the other ranks wait for this " +
          `one's gradients. Return a loss on every rank, e.g. \`loss.mul(0)\` (\`${module.constructor.name}.trainingStep\`).`,
      );
    }
    warn(
      "training-step-none",
      "`trainingStep` returned nothing: the batch is skipped. If this was on purpose, ignore this warning; else `return loss`.",
    );
    return undefined;
  }
  if (outputs instanceof tf.Tensor) return scalar(outputs);
  if (typeof outputs === "object" && outputs.loss instanceof tf.Tensor) return scalar(outputs.loss);
  throw new TypeError(
    `\`${module.constructor.name}.trainingStep\` must return the loss, a tensor, or { loss, … }, but returned ${
      typeof outputs === "object" ? `{ ${Object.keys(outputs).join(", ")} }` : typeof outputs
    }`,
  );
}

function scalar(loss: tf.Tensor): tf.Tensor {
  if (loss.size === 1) return loss.rank === 0 ? loss : loss.reshape([]);
  throw new TypeError(`the loss must be one number, but has shape [${loss.shape}]: return \`loss.mean()\``);
}

/** True if any parameter has a gradient. */
export function hasGradients(session: Session): boolean {
  return session.module.parameters().some((variable) => gradientOf(variable) !== undefined);
}
