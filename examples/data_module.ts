/**
 * A LightningDataModule: download, split, transform and batch in one class that any model can be trained on. The training images are
 * moved about at random, by threads of their own with `--workers`.
 *
 *     deno run -A examples/data_module.ts [--epochs 2] [--samples 60000] [--workers 2]
 *
 * The defaults reach a test_acc of .961.
 */
import { parseArgs } from "node:util";
import {
  Compose,
  DataLoader,
  type Dataset,
  datasetFromModule,
  Flatten,
  LightningDataModule,
  MNIST,
  seed_everything,
  Subset,
  ToTensor,
  Trainer,
} from "../mod.ts";
import { MnistClassifier } from "./shared/mnist_classifier.ts";
import { normalize } from "./shared/shifted_mnist.ts";

interface MnistOptions {
  batchSize: number;
  /** Training images to use; a tenth of them is for validation. */
  samples: number;
  /** Threads that read training images; 0 reads them in the training thread. */
  numWorkers: number;
}

class MnistDataModule extends LightningDataModule<MnistOptions> {
  #train?: Dataset<unknown>;
  #val?: Dataset<unknown>;
  #test?: Dataset<unknown>;

  constructor(hparams: MnistOptions) {
    super();
    this.saveHyperparameters(hparams);
  }

  /** Runs on one rank of each host before any rank goes on to `setup`: the place for downloads. */
  override async prepareData(): Promise<void> {
    await MNIST.load({ train: true });
  }

  /** Runs on every rank. */
  override async setup(): Promise<void> {
    const { samples } = this.hparams;
    const trainCount = Math.floor(0.9 * samples);
    const transform = new Compose([new ToTensor(), normalize, new Flatten()]);
    // Threads cannot be sent a dataset: they import it, like this process does here.
    this.#train = await datasetFromModule<Dataset<unknown>>({
      module: new URL("./shared/shifted_mnist.ts", import.meta.url),
      export: "shiftedMnist",
      args: [trainCount],
    });
    const images = await MNIST.load({ train: true, transform });
    this.#val = new Subset(images, Array.from({ length: samples - trainCount }, (_, i) => trainCount + i));
    this.#test = await MNIST.load({ train: false, transform });
  }

  override trainDataloader() {
    const { batchSize, numWorkers } = this.hparams;
    // `pinMemory` is taken for the sake of ported programs, and a warning says that there is no copy here for it to save.
    return new DataLoader(this.#train!, { batchSize, shuffle: true, numWorkers, pinMemory: true });
  }

  override valDataloader() {
    return new DataLoader(this.#val!, { batchSize: this.hparams.batchSize });
  }

  override testDataloader() {
    return new DataLoader(this.#test!, { batchSize: this.hparams.batchSize });
  }
}

const { values: args } = parseArgs({
  options: {
    epochs: { type: "string", default: "2" },
    samples: { type: "string", default: "60000" },
    workers: { type: "string", default: "0" },
  },
});

seed_everything(42, { workers: true });
const datamodule = new MnistDataModule({
  batchSize: 100,
  samples: Number(args.samples),
  numWorkers: Number(args.workers),
});
const model = new MnistClassifier();
const trainer = new Trainer({
  strategy: "dp",
  maxEpochs: Number(args.epochs),
  logger: false,
  enableCheckpointing: false,
});
await trainer.fit(model, { datamodule });
const valAcc = trainer.callbackMetrics.val_acc;
const [{ test_acc }] = await trainer.test(model, { datamodule });
await trainer.close();
trainer.print(`val_acc=${valAcc.toFixed(4)} test_acc=${test_acc.toFixed(4)}`);
