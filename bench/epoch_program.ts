/**
 * Trains the reference perceptron (784-100-10, Adam, batch 100 over all ranks) on MNIST with the Trainer, with progress bar, CSV logging and a validation after each
 * epoch: `epoch_program.ts ACCELERATOR EPOCHS`. Rank 0 prints a JSON line after the first step, after each epoch, and at the end.
 */
import {
  Accuracy,
  Adam,
  crossEntropy,
  CSVLogger,
  DataLoader,
  LambdaCallback,
  LightningModule,
  MNIST,
  tf,
  Trainer,
} from "../mod.ts";
import { peakMegabytes } from "./peak_memory.ts";

type Batch = [tf.Tensor, tf.Tensor];

const [accelerator, epochs] = Deno.args;

class Classifier extends LightningModule {
  readonly net = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
      tf.layers.dense({ units: 10 }),
    ],
  });
  readonly accuracy = new Accuracy({ task: "multiclass", numClasses: 10 });

  override trainingStep([x, y]: Batch): tf.Tensor {
    const loss = crossEntropy(this.run(this.net, x), y);
    this.log("train_loss", loss, { progBar: true });
    return loss;
  }
  override validationStep([x, y]: Batch): void {
    const logits = this.run(this.net, x);
    this.accuracy.update(logits, y);
    this.log("val_loss", crossEntropy(logits, y));
    this.log("val_acc", this.accuracy, { progBar: true });
  }
  override configureOptimizers() {
    return new Adam({ learningRate: 1e-3 });
  }
}

const folder = await Deno.makeTempDir();
try {
  let start = 0, first = true;
  const say = (record: Record<string, unknown>): void => trainer.print(JSON.stringify(record));
  const trainer: Trainer = new Trainer({
    accelerator: accelerator as "cpu",
    strategy: "dp",
    maxEpochs: Number(epochs),
    numSanityValSteps: 0,
    enableModelSummary: false,
    logger: new CSVLogger(folder),
    defaultRootDir: folder,
    callbacks: new LambdaCallback({
      onTrainBatchEnd: () => {
        if (first) say({ first_step: true });
        first = false;
      },
      onTrainEpochStart: () => void (start = performance.now()),
      onTrainEpochEnd: ({ callbackMetrics }) =>
        say({ seconds: (performance.now() - start) / 1000, val_acc: callbackMetrics.val_acc }),
    }),
  });
  await trainer.fit(
    new Classifier(),
    new DataLoader(await MNIST.load({ train: true }), { batchSize: 100, shuffle: true }),
    new DataLoader(await MNIST.load({ train: false }), { batchSize: 100 }),
  );
  say({ peak_mb: peakMegabytes() });
  await trainer.close();
} finally {
  await Deno.remove(folder, { recursive: true });
}
