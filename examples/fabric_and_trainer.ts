/**
 * One LightningModule with its own data and hooks, trained twice: first in a loop of one's own with Fabric, then by the Trainer.
 * The module does not change; with Fabric the loop calls its methods, with the Trainer nobody has to.
 *
 *     deno run -A examples/fabric_and_trainer.ts [--epochs 1] [--samples 60000]
 */
import { parseArgs } from "node:util";
import {
  crossEntropy,
  DataLoader,
  Fabric,
  LightningModule,
  MNIST,
  seed_everything,
  Subset,
  tf,
  Trainer,
} from "../mod.ts";
import { perceptron } from "./shared/mnist_perceptron.ts";

type Batch = [tf.Tensor, tf.Tensor];

class Classifier extends LightningModule {
  readonly net = perceptron();
  #seen = { correct: 0, count: 0 };

  constructor(readonly samples?: number) {
    super();
  }

  override forward(x: tf.Tensor): tf.Tensor {
    return this.run(this.net, x);
  }

  override trainingStep([x, y]: Batch): tf.Tensor {
    return crossEntropy(this.forward(x), y);
  }

  override async validationStep([x, y]: Batch): Promise<void> {
    const hits = this.forward(x).argMax(1).equal(y).sum();
    this.#seen.correct += (await hits.data())[0];
    this.#seen.count += y.size;
  }

  override configureOptimizers(): tf.Optimizer {
    return tf.train.adam(1e-3);
  }

  // The module's own data

  override trainDataloader() {
    return this.#loader(true);
  }

  override valDataloader() {
    return this.#loader(false);
  }

  async #loader(train: boolean): Promise<DataLoader<Batch>> {
    const images = await MNIST.load({ train });
    const part = this.samples === undefined ? images : new Subset(images, [...Array(this.samples).keys()]);
    return new DataLoader(part, { batchSize: 100, shuffle: train }) as unknown as DataLoader<Batch>;
  }

  // The module's own hooks

  override onTrainEpochStart(): void {
    this.print(`epoch ${this.currentEpoch} begins`);
  }

  override onValidationEpochStart(): void {
    this.#seen = { correct: 0, count: 0 };
  }

  override async onValidationEpochEnd(): Promise<void> {
    const { correct, count } = await this.fabric!.allReduce(this.#seen, { op: "sum" });
    this.log("val_acc", correct / count);
    this.print(`val_acc=${(correct / count).toFixed(4)}`);
  }
}

const { values: args } = parseArgs({
  options: { epochs: { type: "string", default: "1" }, samples: { type: "string" } },
});
const epochs = Number(args.epochs);
const samples = args.samples === undefined ? undefined : Number(args.samples);

seed_everything(42);
const fabric = new Fabric({ strategy: "dp" });
await fabric.launch();
fabric.print("with Fabric");
const classifier = new Classifier(samples);
classifier.fabric = fabric;
const [model, optimizer] = await fabric.setup(classifier, classifier.configureOptimizers());
const train = fabric.setupDataloaders(await classifier.trainDataloader());
const val = fabric.setupDataloaders(await classifier.valDataloader());
for (let epoch = 0; epoch < epochs; epoch++) {
  model.train();
  classifier.onTrainEpochStart();
  for await (const batch of train) {
    optimizer.zeroGrad();
    await fabric.backward(model.trainingStep(batch));
    optimizer.step();
  }
  model.eval();
  classifier.onValidationEpochStart();
  for await (const batch of val) await model.validationStep(batch);
  await classifier.onValidationEpochEnd();
}
await fabric.close();

seed_everything(42);
const trainer = new Trainer({
  strategy: "dp",
  maxEpochs: epochs,
  numSanityValSteps: 0,
  logger: false,
  enableCheckpointing: false,
});
trainer.print("with the Trainer");
await trainer.fit(new Classifier(samples));
await trainer.close();
