/**
 * Hyperparameters travel with the checkpoint: `loadFromCheckpoint` makes the model that was trained, of the right size and with its
 * weights, without being told how.
 *
 *     deno run -A examples/hyperparameters.ts [--hidden 64] [--rate 0.003] [--epochs 2] [--samples 60000]
 */
import { parseArgs } from "node:util";
import { CSVLogger, ModelCheckpoint, seed_everything, tf, Trainer } from "../mod.ts";
import { MnistClassifier } from "./shared/mnist_classifier.ts";
import { mnistLoaders } from "./shared/mnist_perceptron.ts";

const { values: args } = parseArgs({
  options: {
    hidden: { type: "string", default: "64" },
    rate: { type: "string", default: "0.003" },
    epochs: { type: "string", default: "2" },
    samples: { type: "string" },
  },
});

seed_everything(42);
const [train, val] = await mnistLoaders({ samples: args.samples === undefined ? undefined : Number(args.samples) });
const best = new ModelCheckpoint({ monitor: "val_acc", mode: "max", filename: "best" });
const trainer = new Trainer({
  maxEpochs: Number(args.epochs),
  logger: new CSVLogger("logs", { name: "hyperparameters" }),
  callbacks: best,
});
await trainer.fit(new MnistClassifier({ hidden: Number(args.hidden), learningRate: Number(args.rate) }), train, val);

const loaded = await MnistClassifier.loadFromCheckpoint(best.bestModelPath);
trainer.print(`${best.bestModelPath}: ${JSON.stringify(loaded.hparams)}`);
const [{ val_acc }] = await trainer.validate(loaded, val);
trainer.print(`trained ${best.bestModelScore!.toFixed(4)}, loaded ${val_acc.toFixed(4)}`);

const predictions = await trainer.predict(loaded, val) as tf.Tensor[];
trainer.print(`predicted: ${[...await predictions[0].argMax(1).data()].slice(0, 10).join(" ")} …`);

// Single hyperparameters can be replaced, e.g. to train on more slowly. The weights stay those of the file.
const slower = await MnistClassifier.loadFromCheckpoint(best.bestModelPath, { hparams: { learningRate: 1e-4 } });
trainer.print(`to go on with: ${JSON.stringify(slower.hparams)}`);
await trainer.close();
