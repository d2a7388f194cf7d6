/**
 * K-fold cross-validation: each fold is validated by a model that was trained on the others.
 *
 *     deno run -A examples/k_fold.ts [--folds 5] [--epochs 3] [--samples 10000]
 *
 * The defaults give val_acc=.919 ± .005.
 */
import { parseArgs } from "node:util";
import { DataLoader, MNIST, randomSplit, seed_everything, Subset, Trainer } from "../mod.ts";
import { MnistClassifier } from "./shared/mnist_classifier.ts";

const { values: args } = parseArgs({
  options: {
    folds: { type: "string", default: "5" },
    epochs: { type: "string", default: "3" },
    samples: { type: "string", default: "10000" },
  },
});
const k = Number(args.folds);
if (!Number.isInteger(k) || k < 2) throw new RangeError(`--folds must be an integer from 2 up, but got ${args.folds}`);

seed_everything(42);
const images = await MNIST.load({ train: true });
const samples = new Subset(images, [...Array(Number(args.samples)).keys()]);
const folds = randomSplit(samples, Array(k).fill(1 / k));

const accuracies: number[] = [];
for (const [i, fold] of folds.entries()) {
  const others = folds.filter((other) => other !== fold).flatMap(({ indices }) => [...indices]);
  const train = new DataLoader(new Subset(samples, others), { batchSize: 100, shuffle: true });
  const val = new DataLoader(fold, { batchSize: 100 });
  const model = new MnistClassifier();
  await using trainer = new Trainer({
    maxEpochs: Number(args.epochs),
    logger: false,
    enableCheckpointing: false,
    enableModelSummary: i === 0,
  });
  if (await trainer.fit(model, train, val) === "interrupted") Deno.exit(); // a fold in part is no result
  accuracies.push(trainer.callbackMetrics.val_acc);
  console.log(`fold ${i + 1}/${k}: trained on ${others.length}, val_acc=${accuracies[i].toFixed(4)} of ${fold.length}`);
  model.dispose();
}
const mean = accuracies.reduce((a, b) => a + b) / k;
const deviation = Math.sqrt(accuracies.reduce((sum, a) => sum + (a - mean) ** 2, 0) / (k - 1));
console.log(`val_acc=${mean.toFixed(4)} ± ${deviation.toFixed(4)}`);
