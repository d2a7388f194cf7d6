import type { Session } from "../session.ts";
import { transferFor } from "../loops/transfer.ts";
import { discardTape } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";

/** The training batches of this rank, as the training loop would see them. */
export async function trainBatches(session: Session): Promise<AsyncIterable<unknown>> {
  const [loader] = await session.loaders.get("train");
  if (!loader) throw new Error("there is no training data: `limitTrainBatches` is 0");
  const transfer = transferFor(session, loader.source);
  return {
    async *[Symbol.asyncIterator]() {
      for await (const batch of loader.iterate()) yield await transfer(batch, 0);
    },
  };
}

/** Loss, gradients, clipping and a step, without hooks and without counting. What is logged is forgotten. */
export async function bareStep(session: Session, batch: unknown, batchIdx: number): Promise<number> {
  const { hooks, fabric, model, module, config, metrics } = session;
  const [optimizer] = session.optimizers;
  if (!module.automaticOptimization || !optimizer) {
    throw new Error("`trainStep` needs automatic optimization and an optimizer");
  }
  const outputs = await hooks.module("trainingStep", () => model.trainingStep(batch, batchIdx));
  const loss = outputs instanceof tf.Tensor ? outputs : outputs?.loss;
  if (!loss) {
    discardTape();
    throw new Error("`trainStep` needs a `trainingStep` that returns a loss");
  }
  optimizer.zeroGrad();
  await fabric.backward(loss);
  const { gradientClipVal, gradientClipAlgorithm } = config;
  await module.clipGradients(optimizer, { gradientClipVal, gradientClipAlgorithm });
  optimizer.original.step();
  optimizer.zeroGrad();
  metrics.resetTraining();
  return Number((await loss.data())[0]);
}
