/** Rank 1 throws in the third training step of a fit; the others print what became of them. */
import { DataLoader, LightningModule, TensorDataset, tf, Trainer } from "../../../mod.ts";

class Line extends LightningModule {
  readonly net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1], units: 1 })] });
  override trainingStep([x]: [tf.Tensor], batchIdx: number): tf.Tensor {
    if (this.trainer.fabric.globalRank === 1 && batchIdx === 2) throw new Error("rank 1 lost its data");
    return this.run(this.net, x).square().mean();
  }
  override configureOptimizers() {
    return tf.train.sgd(0.1);
  }
}

const data = new TensorDataset({ dtype: "float32", shape: [1000, 1], data: new Float32Array(1000) });
const trainer = new Trainer({
  accelerator: "wasm",
  maxEpochs: 1,
  logger: false,
  enableCheckpointing: false,
  enableProgressBar: false,
  enableModelSummary: false,
});
try {
  await trainer.fit(new Line(), new DataLoader(data, { batchSize: 2, shuffle: true, seed: 1 }));
} catch (error) {
  console.log(`${(error as Error).name}: ${(error as Error).message}`);
  throw error;
}
