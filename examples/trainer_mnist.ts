/**
 * The Trainer program: model, data and training each in their place. A perceptron learns MNIST.
 *
 *     deno run -A examples/trainer_mnist.ts
 *     deno run -A launcher/main.ts --devices 2 examples/trainer_mnist.ts --epochs 5
 */
import { parseArgs } from "node:util";
import {
  Accuracy,
  crossEntropy,
  CSVLogger,
  DataLoader,
  LightningDataModule,
  LightningModule,
  MNIST,
  ModelCheckpoint,
  seed_everything,
  tf,
  Trainer,
} from "../mod.ts";

type Batch = [tf.Tensor, tf.Tensor];
type Images = Awaited<ReturnType<typeof MNIST.load>>;

class MnistClassifier extends LightningModule<{ hidden: number; learningRate: number }> {
  readonly net: tf.Sequential;
  readonly accuracy = new Accuracy({ task: "multiclass", numClasses: 10 });

  constructor(hparams = { hidden: 100, learningRate: 1e-3 }) {
    super();
    this.saveHyperparameters(hparams);
    this.net = tf.sequential({
      layers: [
        tf.layers.dense({ inputShape: [784], units: hparams.hidden, activation: "relu" }),
        tf.layers.dense({ units: 10 }),
      ],
    });
  }

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
    this.log("val_loss", crossEntropy(logits, y), { progBar: true });
    this.log("val_acc", this.accuracy, { progBar: true });
  }

  override configureOptimizers(): tf.Optimizer {
    return tf.train.adam(this.hparams.learningRate);
  }
}

class MnistData extends LightningDataModule<{ batchSize: number }> {
  #train?: Images;
  #val?: Images;

  constructor(hparams = { batchSize: 100 }) {
    super();
    this.saveHyperparameters(hparams);
  }

  override async setup(): Promise<void> {
    this.#train ??= await MNIST.load({ train: true });
    this.#val ??= await MNIST.load({ train: false });
  }

  override trainDataloader() {
    return new DataLoader(this.#train!, { batchSize: this.hparams.batchSize, shuffle: true });
  }

  override valDataloader() {
    return new DataLoader(this.#val!, { batchSize: this.hparams.batchSize });
  }
}

const { values: args } = parseArgs({
  options: {
    epochs: { type: "string", default: "5" },
    accelerator: { type: "string" },
    devices: { type: "string" },
    seed: { type: "string", default: "42" },
    steps: { type: "string" },
  },
});

seed_everything(Number(args.seed), { workers: true });
const trainer = new Trainer({
  accelerator: args.accelerator as "auto" | undefined,
  devices: args.devices,
  strategy: "dp",
  maxEpochs: Number(args.epochs),
  limitTrainBatches: args.steps === undefined ? undefined : Number(args.steps),
  deterministic: true,
  logger: new CSVLogger("logs", { name: "MNIST" }),
  callbacks: [
    new ModelCheckpoint({ filename: "{epoch}-{val_acc:.4f}", monitor: "val_acc", mode: "max", saveTopK: 1 }),
  ],
});
const outcome = await trainer.fit(new MnistClassifier(), { datamodule: new MnistData() });
await trainer.close();
if (outcome === "finished") trainer.print(`val_acc=${trainer.callbackMetrics.val_acc.toFixed(4)}`);
