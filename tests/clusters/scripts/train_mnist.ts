/**
 * `train_mnist.ts STEPS [HOLD_STEP]`: the Trainer learns MNIST for some steps; each rank prints a digest of its weights at the end. After HOLD_STEP
 * rank 0 prints `at step N`, once.
 */
import {
  Adam,
  Callback,
  crossEntropy,
  DataLoader,
  LightningModule,
  MNIST,
  seed_everything,
  tf,
  Trainer,
} from "../../../mod.ts";

const [maxSteps, holdStep] = Deno.args.map(Number);
seed_everything(7, { verbose: false });

class Net extends LightningModule {
  readonly net = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
      tf.layers.dense({ units: 10 }),
    ],
  });
  override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
    return crossEntropy(this.run(this.net, x) as tf.Tensor, y);
  }
  override configureOptimizers() {
    return new Adam({ learningRate: 0.001 });
  }
}

class Tell extends Callback {
  override onTrainBatchEnd(trainer: Trainer) {
    if (trainer.globalStep === holdStep && trainer.isGlobalZero) console.log(`at step ${holdStep}`);
  }
}

const trainer = new Trainer({
  ...{ accelerator: "wasm", maxSteps, maxEpochs: -1, callbacks: [new Tell()] },
  ...{ logger: false, enableProgressBar: false, enableModelSummary: false, enableCheckpointing: false },
});
const model = new Net();
const loader = new DataLoader(await MNIST.load({ train: true }), { batchSize: 64, shuffle: true });
await trainer.fit(model, { trainDataloaders: loader });
const weights = [...model.namedParameters().values()].flatMap((variable) => [...variable.dataSync()]);
const digest = await crypto.subtle.digest("SHA-256", new Float32Array(weights));
console.log(`weights ${new Uint8Array(digest).toHex()} after ${trainer.globalStep}`);
await trainer.close();
