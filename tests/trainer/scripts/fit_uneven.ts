/** Two ranks with different numbers of batches train. Arguments: output file, case of uneven.json, who trains, on which accelerator, epochs. */
import { Fabric, SGD, tf } from "../../../mod.ts";
import type { AcceleratorName } from "../../../runtime/accelerators/accelerator.ts";
import { Callback } from "../../../runtime/trainer/callback.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import type { Trainer } from "../../../runtime/trainer/trainer.ts";
import { quietTrainer } from "../support/line.ts";
import { Rows } from "../support/rows.ts";
import { CASES, Counted, type HostPair, Stream } from "../support/uneven_data.ts";

const [file, name, how, accelerator, epochs] = Deno.args;

function network(): tf.Sequential {
  const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [3], units: 1 })] });
  net.setWeights([tf.tensor2d([[0.5], [-0.25], [0.125]]), tf.tensor1d([0])]);
  return net;
}

class Model extends LightningModule {
  readonly net = network();
  override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
    const loss = this.run(this.net, x).sub(y).square().mean();
    this.log("train_loss", loss, { onStep: true, onEpoch: true, syncDist: true });
    return loss;
  }
  override configureOptimizers() {
    return new SGD({ learningRate: 0.05, momentum: 0.9 });
  }
}

/** Does something together with the other ranks after every batch, as callbacks that save do. */
class Meet extends Callback {
  batches = 0;
  override async onTrainBatchEnd(trainer: Trainer) {
    const steps = await trainer.fabric.allGatherObjects(trainer.globalStep);
    if (new Set(steps).size > 1) throw new Error(`the ranks are at steps ${steps}`);
    this.batches++;
  }
}

async function byTrainer() {
  const meet = new Meet(), logger = new Rows();
  const trainer = quietTrainer({
    accelerator: accelerator as AcceleratorName,
    maxEpochs: Number(epochs),
    accumulateGradBatches: name === "accumulate" ? 2 : 1,
    logEveryNSteps: 1,
    callbacks: meet,
    logger,
    compile: accelerator === "cpu" ? "graph" : false,
  });
  const model = new Model();
  const ranges = CASES[name].at(how === "reversed" ? -1 - trainer.globalRank : trainer.globalRank)!;
  await trainer.fit(model, how === "stream" ? new Stream(ranges) : new Counted(ranges));
  const found = { weights: model.net.getWeights().map((w) => [...w.dataSync()]), steps: trainer.globalStep };
  return { fabric: trainer.fabric, found: { ...found, batches: meet.batches, rows: logger.rows } };
}

async function byFabric() {
  const fabric = new Fabric({ accelerator: accelerator as AcceleratorName });
  await fabric.launch();
  const net = network();
  const [model, optimizer] = await fabric.setup(net, new SGD({ learningRate: 0.05, momentum: 0.9 }));
  const ranges = CASES[name][fabric.globalRank];
  const loader = how === "fabric stream" ? new Stream(ranges) : new Counted(ranges);
  let steps = 0, inWindow = 0, had = 0;
  const every = name === "accumulate" ? 2 : 1;
  for (let epoch = 0; epoch < Number(epochs); epoch++) {
    for await (const given of fabric.join<HostPair>(loader)) {
      if (inWindow === 0) optimizer.zeroGrad();
      const isLast = ++inWindow === every;
      using _ = fabric.noBackwardSync(undefined, !isLast);
      if (given) {
        had++;
        const [x, y] = fabric.toDevice(given) as unknown as [tf.Tensor, tf.Tensor];
        await fabric.backward(model.forward(x).sub(y).square().mean());
      } else await fabric.backwardWithoutBatch();
      if (!isLast) continue;
      inWindow = 0;
      optimizer.step();
      steps++;
    }
  }
  return { fabric, found: { weights: net.getWeights().map((w) => [...w.dataSync()]), steps, batches: had } };
}

const { fabric, found } = how.startsWith("fabric") ? await byFabric() : await byTrainer();
const all = await fabric.allGatherObjects(found);
if (fabric.isGlobalZero) await Deno.writeTextFile(file, JSON.stringify(all));
await fabric.close();
