/** Rank 1 meets the others in the fourth training step, who do not: they average gradients. Argument: the accelerator. */
import { DataLoader, LightningModule, TensorDataset, tf, Trainer } from "../../../mod.ts";

class Line extends LightningModule {
  readonly net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1], units: 1 })] });
  override trainingStep([x]: [tf.Tensor]): tf.Tensor {
    return this.run(this.net, x).square().mean();
  }
  override async onTrainBatchStart(_batch: unknown, batchIdx: number): Promise<void> {
    if (batchIdx === 3 && this.trainer.globalRank === 1) await this.trainer.fabric.barrier();
  }
  override configureOptimizers() {
    return tf.train.sgd(0.1);
  }
}

const data = new TensorDataset({ dtype: "float32", shape: [40, 1], data: new Float32Array(40).fill(1) });
const trainer = new Trainer({
  accelerator: Deno.args[0] as "wasm" | "cpu",
  maxEpochs: 1,
  logger: false,
  enableCheckpointing: false,
  enableProgressBar: false,
  enableModelSummary: false,
});
await trainer.fit(new Line(), new DataLoader(data, { batchSize: 2 }));
