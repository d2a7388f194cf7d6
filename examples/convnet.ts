/**
 * A convolutional network on MNIST: two convolutions, dropout, and a learning rate that rises and falls over the run.
 *
 *     deno run -A examples/convnet.ts [--epochs 3] [--samples 60000] [--accelerator auto]
 *
 * 3 epochs reach a val_acc of .987, in a minute and a half of one core with wasm.
 */
import { parseArgs } from "node:util";
import {
  Accuracy,
  Adam,
  crossEntropy,
  DataLoader,
  LightningModule,
  MNIST,
  OneCycleLR,
  seed_everything,
  Subset,
  tf,
  Trainer,
} from "../mod.ts";

type Batch = [tf.Tensor, tf.Tensor];

class ConvNet extends LightningModule<{ learningRate: number }> {
  readonly accuracy = new Accuracy({ task: "multiclass", numClasses: 10 });
  readonly net = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 16, kernelSize: 3, activation: "relu" }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu" }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dropout({ rate: 0.25 }),
      tf.layers.dense({ units: 10 }),
    ],
  });

  constructor(hparams = { learningRate: 4e-3 }) {
    super();
    this.saveHyperparameters(hparams);
  }

  /** `run` applies the layers in the module's mode: dropout drops in training only. */
  override forward(x: tf.Tensor): tf.Tensor {
    return this.run(this.net, x);
  }

  override trainingStep([x, y]: Batch): tf.Tensor {
    const loss = crossEntropy(this.forward(x), y);
    this.log("train_loss", loss, { progBar: true });
    return loss;
  }

  override validationStep([x, y]: Batch): void {
    const logits = this.forward(x);
    this.accuracy.update(logits, y);
    this.log("val_loss", crossEntropy(logits, y));
    this.log("val_acc", this.accuracy, { progBar: true });
  }

  override async configureOptimizers() {
    const { learningRate } = this.hparams;
    const optimizer = new Adam({ learningRate });
    const totalSteps = await this.trainer.estimatedSteppingBatches();
    const scheduler = new OneCycleLR(optimizer, { maxLearningRate: learningRate, totalSteps });
    return { optimizer, lrScheduler: { scheduler, interval: "step" as const } };
  }
}

const { values: args } = parseArgs({
  options: {
    epochs: { type: "string", default: "3" },
    samples: { type: "string", default: "60000" },
    accelerator: { type: "string", default: "auto" },
  },
});

seed_everything(42);
/** The first `count` images. */
async function images(train: boolean, count: number) {
  const all = await MNIST.load({ train, flatten: false });
  return new Subset(all, [...Array(Math.min(count, all.length)).keys()]);
}
const train = new DataLoader(await images(true, Number(args.samples)), { batchSize: 100, shuffle: true });
const val = new DataLoader(await images(false, Number(args.samples)), { batchSize: 200 });
const trainer = new Trainer({
  accelerator: args.accelerator as "auto",
  strategy: "dp",
  maxEpochs: Number(args.epochs),
  logger: false,
  enableCheckpointing: false,
});
await trainer.fit(new ConvNet(), train, val);
await trainer.close();
const { val_acc, val_loss } = trainer.callbackMetrics;
trainer.print(`val_loss=${val_loss.toFixed(4)} val_acc=${val_acc.toFixed(4)}`);
