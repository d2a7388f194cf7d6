import { breathe } from "./breathe.ts";
import { rememberModes } from "./modes.ts";
import { transferFor } from "./transfer.ts";
import { LightningModule } from "../lightning_module.ts";
import { overrides } from "../hooks.ts";
import type { Session } from "../session.ts";
import type { HostTree } from "../../tensor/read.ts";
import { fromHost, snapshot } from "../../tensor/read.ts";
import { isHostTensor } from "../../tensor/host_tensor.ts";
import { hold, withScope } from "../../tensor/scope.ts";
import type { StateTree } from "../../tensor/state.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";

/** Runs `predictStep` over the loaders. Returns what it gave, by loader and batch, of all ranks in the order of the data. */
export async function predictAll(session: Session, options: { collect: boolean }): Promise<unknown[][]> {
  const { hooks, module, model, fabric, loaders: set } = session;
  const loaders = await set.get("predict");
  if (loaders.length === 0) return [];
  const restoreModes = rememberModes(module);
  await hooks.module("onPredictModelEval", () => module.onPredictModelEval());
  try {
    return await withScope(async () => {
      await hooks.call("onPredictStart");
      await hooks.call("onPredictEpochStart");
      session.predictions = [];
      for (const [index, loader] of loaders.entries()) {
        const transfer = transferFor(session, loader.source);
        loader.setEpoch(0);
        const own: unknown[] = [];
        session.predictions.push(own);
        let batchIdx = 0;
        for await (const given of loader.iterate()) {
          const batch = await transfer(given, index);
          await hooks.call("onPredictBatchStart", batch, batchIdx, index);
          const outputs = await hooks.module(
            "predictStep",
            () => noGrad(() => fabric.autocast(() => (model as LightningModule).predictStep(batch, batchIdx, index))),
          );
          await hooks.call("onPredictBatchEnd", outputs, batch, batchIdx, index);
          await breathe();
          session.stop.throwIfInterruptedAlone();
          if (options.collect) own.push(keepTensors(outputs));
          batchIdx++;
        }
      }
      await hooks.call("onPredictEpochEnd");
      await hooks.call("onPredictEnd");
      const results: unknown[][] = [];
      for (const own of session.predictions) results.push(options.collect ? await ofAllRanks(session, own) : []);
      session.predictions = [];
      return results;
    });
  } finally {
    if (overrides(module, LightningModule.prototype, "onPredictModelTrain")) {
      await hooks.module("onPredictModelTrain", () => module.onPredictModelTrain());
    } else restoreModes();
  }
}

/** Ranks take whole batches in turn, so the batches in order are theirs, interleaved. */
async function ofAllRanks(session: Session, own: unknown[]): Promise<unknown[]> {
  const { fabric, config } = session;
  if (fabric.worldSize === 1 || !config.useDistributedSampler) return own;
  const host = await Promise.all(own.map((outputs) => snapshot(outputs as StateTree)));
  disposeTensors(own);
  const ranks = await fabric.allGatherObjects(host, { purpose: "the Trainer's predictions" });
  const inOrder: HostTree[] = [];
  for (let turn = 0; turn < Math.max(...ranks.map(({ length }) => length)); turn++) {
    for (const rank of ranks) if (turn < rank.length) inOrder.push(rank[turn]);
  }
  return inOrder.map((outputs) => mapLeaves(outputs, (leaf) => isHostTensor(leaf) ? hold(fromHost(leaf)) : undefined));
}

/** Lets the caller have the tensors: no scope frees them. */
function keepTensors(outputs: unknown): unknown {
  return mapLeaves(outputs, (leaf) => leaf instanceof tf.Tensor ? hold(leaf) : undefined);
}

function disposeTensors(outputs: unknown): void {
  mapLeaves(outputs, (leaf) => leaf instanceof tf.Tensor ? (leaf.dispose(), leaf) : undefined);
}

/** A copy of nested arrays and records in which what `f` gives a value for is replaced by it. */
function mapLeaves(tree: unknown, f: (leaf: unknown) => unknown): unknown {
  const replaced = f(tree);
  if (replaced !== undefined) return replaced;
  if (Array.isArray(tree)) return tree.map((item) => mapLeaves(item, f));
  if (typeof tree !== "object" || tree === null || Object.getPrototypeOf(tree) !== Object.prototype) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, mapLeaves(value, f)]));
}
