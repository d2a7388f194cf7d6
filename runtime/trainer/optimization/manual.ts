import type { StepOutput } from "../callback.ts";
import type { Session } from "../session.ts";
import type { LightningOptimizer } from "./lightning_optimizer.ts";
import { onEveryStep } from "../../tensor/step_recording.ts";
import { beginTape, discardTape } from "../../tensor/tape.ts";
import type { tf } from "../../tensor/tf.ts";

/** One batch of manual optimization: `trainingStep` does it all. `stepped` if it stepped an optimizer. */
export async function runManually(
  session: Session,
  batch: unknown,
  batchIdx: number,
): Promise<{ outputs: StepOutput; stepped: boolean }> {
  session.steppedByHand = false;
  const { hooks, fabric, model } = session;
  const outputs = await hooks.module("trainingStep", () => fabric.autocast(() => model.trainingStep(batch, batchIdx)));
  discardTape();
  return { outputs, stepped: session.steppedByHand };
}

/** `this.manualBackward(loss)`. What follows in `trainingStep` is recorded anew, for the next. */
export async function manualBackward(session: Session, loss: tf.Tensor): Promise<void> {
  const { hooks, fabric, model } = session;
  await hooks.call("onBeforeBackward", loss);
  await hooks.module("backward", () =>
    // The Trainer's model is what was run, also in a second pass of one step.
    hooks.overrides("backward") ? session.module.backward(loss) : fabric.backward(loss, { model }).then(() => {}));
  if (session.module.training) beginTape();
  await hooks.call("onAfterBackward");
}

/** `await optimizer.step()` of manual optimization. */
export async function stepByHand(
  session: Session,
  optimizer: LightningOptimizer,
  closure?: () => unknown,
): Promise<void> {
  if (session.module.automaticOptimization) {
    throw new Error(
      "an optimizer was stepped by hand in automatic optimization: set `this.automaticOptimization = false` in the constructor, or return " +
        "the loss from `trainingStep` and let the Trainer step",
    );
  }
  if (closure) await closure();
  await session.hooks.call("onBeforeOptimizerStep", optimizer);
  await optimizer.original.step();
  onEveryStep(() => {
    session.progress.optimizerSteps++;
    session.steppedByHand = true;
  });
}
