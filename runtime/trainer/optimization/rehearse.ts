import type { Session } from "../session.ts";
import { transferFor } from "../loops/transfer.ts";
import { ReadyLoader } from "../loaders.ts";
import { DataLoader } from "../../data/data_loader.ts";
import { randomState, restoreRandomState } from "../../seed/random_state.ts";
import { zeroGradients } from "../../tensor/gradients.ts";
import { snapshot } from "../../tensor/read.ts";
import type { StateDict } from "../../tensor/state.ts";
import { discardTape } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";

/** Options of {@linkcode Trainer.rehearse}. */
export interface RehearseOptions {
  /** Steps to train. The data is gone through again if it is too short. */
  steps: number;
  /** Samples in a batch. Default: the training data's. */
  batchSize?: number;
  /** Called after each step with its loss; false ends the rehearsal. */
  onStep?: (step: number, loss: number) => boolean | void | Promise<boolean | void>;
}

/** See {@linkcode Trainer.rehearse}. */
export async function rehearse(session: Session, { steps, batchSize, onStep }: RehearseOptions): Promise<void> {
  const { module, metrics } = session;
  if (!module.automaticOptimization || session.optimizers.length === 0) {
    throw new Error("a rehearsal needs automatic optimization and an optimizer");
  }
  const random = randomState();
  const weights = await snapshot(module.stateDict()) as StateDict;
  const optimizers = await Promise.all(
    session.optimizers.map((o) => snapshot(o.original.ownStateDict()) as Promise<StateDict>),
  );
  const rates = session.optimizers.map(({ learningRate }) => learningRate);
  try {
    const loader = await copyOfData(session, batchSize);
    const transfer = transferFor(session, loader.source);
    let step = 0;
    while (step < steps) {
      const before = step;
      for await (const given of loader.iterate()) {
        const loss = await trainStep(session, await transfer(given, 0), step);
        if (await onStep?.(step, loss) === false || ++step >= steps) return;
      }
      if (step === before) throw new Error("the training data has no batches to rehearse with");
    }
  } finally {
    discardTape();
    zeroGradients(module.parameters());
    module.loadStateDict(weights);
    for (const [index, optimizer] of session.optimizers.entries()) {
      optimizer.loadStateDict(optimizers[index]);
      optimizer.learningRate = rates[index];
    }
    metrics.resetTraining();
    restoreRandomState(random);
  }
}

/** A loader of its own, so that the place in the real one stays. */
async function copyOfData(session: Session, batchSize: number | undefined): Promise<ReadyLoader> {
  const [loader] = await session.loaders.get("train");
  if (!loader) throw new Error("there is no training data to rehearse with: `limitTrainBatches` is 0");
  const { source, batches } = loader;
  if (source instanceof (DataLoader as unknown as new () => object)) {
    return new ReadyLoader((source as DataLoader).reconfigure(batchSize === undefined ? {} : { batchSize }), Infinity);
  }
  if (batchSize !== undefined) throw new TypeError("only a DataLoader can be given another batch size");
  return new ReadyLoader(source, batches);
}

async function trainStep(session: Session, batch: unknown, step: number): Promise<number> {
  const { hooks, fabric, model, module, config, metrics } = session;
  const [optimizer] = session.optimizers;
  metrics.beginBatch(batch);
  const outputs = await hooks.module("trainingStep", () => model.trainingStep(batch, step));
  const loss = outputs instanceof tf.Tensor ? outputs : outputs?.loss;
  if (!loss) throw new Error("a rehearsal needs a `trainingStep` that returns a loss");
  optimizer.zeroGrad();
  await fabric.backward(loss);
  const { gradientClipVal, gradientClipAlgorithm } = config;
  await module.clipGradients(optimizer, { gradientClipVal, gradientClipAlgorithm });
  await optimizer.original.step();
  metrics.resetTraining();
  return Number((await loss.data())[0]);
}
