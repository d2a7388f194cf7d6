/**
 * Ten batches on each rank, several to a step, by Fabric's loop or the Trainer's. Prints as one line of JSON what each rank sent during each
 * batch. Arguments: fabric or trainer, the accelerator, how many batches to a step.
 */
import { DataLoader, Fabric, LightningModule, TensorDataset, tf, Trainer } from "../../../mod.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import { countSent, type Sent } from "../count_sent.ts";

const [program, name, window] = Deno.args;
const accelerator = name as "wasm" | "cpu", accumulateGradBatches = Number(window), batches = 10;
const data = Float32Array.from({ length: 2 * batches * 2 * 4 }, (_, i) => Math.sin(i));
const loader = new DataLoader(new TensorDataset({ dtype: "float32", shape: [2 * batches * 2, 4], data }), {
  batchSize: 2,
});
const net = tf.sequential({
  layers: [tf.layers.dense({ inputShape: [4], units: 3 }), tf.layers.dense({ units: 1 })],
});
const sent: Sent[] = [];
const takeSent = countSent();

async function byFabric(): Promise<Fabric> {
  const fabric = new Fabric({ accelerator });
  await fabric.launch();
  const [model, optimizer] = await fabric.setup(net, tf.train.sgd(0.1));
  takeSent();
  let batchIdx = 0;
  for await (const [x] of fabric.setupDataloaders(loader)) {
    const isLast = ++batchIdx % accumulateGradBatches === 0 || batchIdx === batches;
    using _ = fabric.noBackwardSync(model, !isLast);
    await fabric.backward(model.forward(x).square().mean());
    if (isLast) {
      optimizer.step();
      optimizer.zeroGrad();
    }
    sent.push(takeSent());
  }
  return fabric;
}

class Net extends LightningModule {
  readonly net = net;
  override trainingStep([x]: [tf.Tensor]): tf.Tensor {
    return this.run(this.net, x).square().mean();
  }
  override configureOptimizers() {
    return tf.train.sgd(0.1);
  }
}

class Note extends Callback {
  override onTrainEpochStart(): void {
    takeSent();
  }
  override onTrainBatchEnd(): void {
    sent.push(takeSent());
  }
}

async function byTrainer(): Promise<Fabric> {
  const trainer = new Trainer({
    accelerator,
    accumulateGradBatches,
    maxEpochs: 1,
    callbacks: [new Note()],
    logger: false,
    enableCheckpointing: false,
    enableProgressBar: false,
    enableModelSummary: false,
  });
  await trainer.fit(new Net(), loader);
  return trainer.fabric;
}

await using fabric = await (program === "fabric" ? byFabric : byTrainer)();
const weights = net.getWeights().flatMap((weight) => [...weight.dataSync()]);
const ranks = await fabric.allGatherObjects({ sent, weights });
if (fabric.isGlobalZero) console.log(JSON.stringify(ranks));
