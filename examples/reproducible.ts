/**
 * The same seed, the same bytes: two runs of `seed_everything(42, { workers: true })` and `deterministic: true` end with the same
 * weights to the last bit, and another seed does not.
 *
 *     deno run -A examples/reproducible.ts [--epochs 1] [--samples 60000]
 */
import { parseArgs } from "node:util";
import { seed_everything, Trainer } from "../mod.ts";
import { MnistClassifier } from "./shared/mnist_classifier.ts";
import { mnistLoaders } from "./shared/mnist_perceptron.ts";

const { values: args } = parseArgs({
  options: { epochs: { type: "string", default: "1" }, samples: { type: "string" } },
});

/** Trains with a seed and returns all weights. */
async function train(seed: number): Promise<number[]> {
  seed_everything(seed, { workers: true });
  const model = new MnistClassifier();
  const [train, val] = await mnistLoaders({ samples: args.samples === undefined ? undefined : Number(args.samples) });
  await using trainer = new Trainer({
    maxEpochs: Number(args.epochs),
    deterministic: true,
    logger: false,
    enableCheckpointing: false,
    enableModelSummary: false,
  });
  await trainer.fit(model, train, val);
  console.log(`seed ${seed}: val_acc=${trainer.callbackMetrics.val_acc.toFixed(4)}`);
  const weights = (await Promise.all(model.parameters().map(async (variable) => [...await variable.data()]))).flat();
  model.dispose();
  return weights;
}

const first = await train(42), second = await train(42), other = await train(7);
const equal = (a: number[], b: number[]) => a.length === b.length && a.every((weight, i) => Object.is(weight, b[i]));
console.log(`the same weights with the same seed: ${equal(first, second)}`);
console.log(`the same weights with another seed: ${equal(first, other)}`);
