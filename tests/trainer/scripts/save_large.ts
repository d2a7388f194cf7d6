/** Saves a large model after every epoch, for ever, until it is killed: `save_large.ts FOLDER`. */
import { ModelCheckpoint, tf, Trainer } from "../../../mod.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";

class Large extends LightningModule {
  readonly net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1000], units: 4000, useBias: false })] });
  override trainingStep(x: tf.Tensor): tf.Tensor {
    return this.run(this.net, x).mean();
  }
  override configureOptimizers() {
    return tf.train.momentum(1, 0.9);
  }
}

const [folder] = Deno.args;
const trainer = new Trainer({
  accelerator: "wasm",
  maxEpochs: -1,
  logger: false,
  enableProgressBar: false,
  callbacks: new ModelCheckpoint({ dirpath: folder, saveTopK: -1 }),
});
await trainer.fit(new Large(), [tf.ones([1, 1000]), tf.ones([1, 1000]), tf.ones([1, 1000])]);
