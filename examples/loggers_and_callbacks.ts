/**
 * Several loggers and callbacks at once: CSV and TensorBoard, the two best checkpoints and the newest, early stopping, and a callback
 * of one's own. Loaders are given to `fit` directly.
 *
 *     deno run -A examples/loggers_and_callbacks.ts [--epochs 10] [--samples 60000]
 *     tensorboard --logdir logs
 *
 * 10 epochs reach a val_acc of .978.
 */
import { parseArgs } from "node:util";
import {
  Callback,
  CSVLogger,
  EarlyStopping,
  ModelCheckpoint,
  seed_everything,
  TensorBoardLogger,
  Trainer,
} from "../mod.ts";
import { MnistClassifier } from "./shared/mnist_classifier.ts";
import { mnistLoaders } from "./shared/mnist_perceptron.ts";

/** Prints a line an epoch. */
class EpochLine extends Callback {
  override onTrainEpochEnd(trainer: Trainer): void {
    const { train_loss, val_loss, val_acc } = trainer.callbackMetrics;
    trainer.print(
      `epoch ${trainer.currentEpoch}  train_loss=${train_loss.toFixed(4)} val_loss=${val_loss.toFixed(4)} ` +
        `val_acc=${val_acc.toFixed(4)}`,
    );
  }
}

const { values: args } = parseArgs({
  options: { epochs: { type: "string", default: "10" }, samples: { type: "string" } },
});

seed_everything(42);
const checkpoints = new ModelCheckpoint({
  dirpath: "checkpoints/loggers_and_callbacks",
  filename: "{epoch:02d}-{val_acc:.4f}",
  monitor: "val_acc",
  mode: "max",
  saveTopK: 2,
  saveLast: true,
});
const trainer = new Trainer({
  strategy: "dp",
  maxEpochs: Number(args.epochs),
  logger: [new CSVLogger("logs", { name: "csv" }), new TensorBoardLogger("logs", { name: "tensorboard" })],
  callbacks: [checkpoints, new EarlyStopping({ monitor: "val_loss", patience: 2 }), new EpochLine()],
});
const [train, val] = await mnistLoaders({ samples: args.samples === undefined ? undefined : Number(args.samples) });
await trainer.fit(new MnistClassifier(), train, val);
await trainer.close();
for (const logger of trainer.loggers) trainer.print(`${logger.name}: ${logger.logDir}`);
trainer.print(`best: ${checkpoints.bestModelPath}`);
trainer.print(`val_acc=${checkpoints.bestModelScore!.toFixed(4)}`);
