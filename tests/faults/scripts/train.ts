/** `train.ts FAULT`: the Trainer, two epochs of ten steps on two ranks, with checkpoints. Writes the last weights to FAULT_FOLDER/result. */
import {
  Adam,
  Callback,
  DataLoader,
  DDPStrategy,
  LightningModule,
  LocalSGDStrategy,
  ModelCheckpoint,
  seed_everything,
  tf,
  Trainer,
} from "../../../mod.ts";
import { datasetFromModule } from "../../../runtime/data/module_dataset.ts";
import { processEnvironment } from "../../../runtime/environments/process_environment.ts";
import { type Fault, SAVED_EVERY } from "../fault.ts";
import { harm } from "./harm.ts";

const fault: Fault = JSON.parse(Deno.args[0]);
const { FAULT_FOLDER: folder, RANK, WEFT_RESTART } = processEnvironment();
seed_everything(7, { verbose: false });
if (fault.place === "before setup") await harm(fault, 0);

class Net extends LightningModule {
  readonly net = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [2], units: 8, activation: "tanh" }),
      tf.layers.dropout({ rate: 0.2 }),
      tf.layers.dense({ units: 1 }),
    ],
  });
  override async trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
    if (fault.place === "training step") await harm(fault, this.globalStep);
    return (this.run(this.net, x) as tf.Tensor).sub(y).square().mean() as tf.Scalar;
  }
  override configureOptimizers() {
    return new Adam({ learningRate: 0.01 });
  }
}

class Harm extends Callback {
  override async onTrainBatchEnd(trainer: Trainer) {
    if (fault.place === "hook" && trainer.globalStep === fault.step) await harm(fault, fault.step);
  }
}

const hasHarm = fault.place === "loader worker" && Number(RANK) === fault.rank && WEFT_RESTART === "0";
const dataset = await datasetFromModule({
  module: new URL("./points.ts", import.meta.url),
  export: "points",
  // Every rank reads every second sample.
  args: hasHarm ? [{ harmAt: fault.step * 2 + fault.rank, note: `${folder}/harm` }] : [],
});
const loader = new DataLoader(dataset, { batchSize: 4, numWorkers: fault.place === "loader worker" ? 1 : 0 });
const model = new Net();
const strategies = {
  ddp: () => new DDPStrategy(),
  sharded: () => new DDPStrategy({ shardOptimizerState: true }),
  local: () => new LocalSGDStrategy({ localSteps: 4 }),
};
const trainer = new Trainer({
  strategy: strategies[fault.strategy](),
  ...{ accelerator: "wasm", maxEpochs: 2, logger: false, enableProgressBar: false, enableModelSummary: false },
  callbacks: [
    new Harm(),
    new ModelCheckpoint({ dirpath: `${folder}/checkpoints`, everyNTrainSteps: SAVED_EVERY, saveTopK: -1 }),
  ],
});
// deno-lint-ignore no-explicit-any
await trainer.fit(model, loader as any);
if (fault.place === "after the last step") await harm(fault, trainer.globalStep);
await trainer.fabric.barrier();
if (RANK === "0") {
  const weights = [...model.namedParameters().values()].map((variable) => variable.dataSync() as Float32Array);
  const bytes = weights.map((values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  await Deno.writeFile(`${folder}/result`, await new Blob(bytes as BlobPart[]).bytes());
}
await trainer.close();
