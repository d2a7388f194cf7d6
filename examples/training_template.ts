/**
 * A training loop to copy and fill in: accumulation, clipping, validation, logging, the best checkpoint kept, resuming. Below the line
 * it knows nothing of MNIST.
 *
 *     deno run -A examples/training_template.ts [--epochs 3] [--resume PATH] [--samples 60000]
 */
import { parseArgs } from "node:util";
import { crossEntropy, CSVLogger, type DataLoader, Fabric, Module, seed_everything, tf } from "../mod.ts";
import { evaluate, mnistLoaders, perceptron } from "./shared/mnist_perceptron.ts";

type Batch = [tf.Tensor, tf.Tensor];

/** What a training needs beside model and data. */
interface TrainingOptions {
  epochs: number;
  /** Micro-batches whose gradients make one step. */
  accumulate: number;
  /** The gradients' norm is clipped to this. */
  maxNorm: number;
  /** Where the best checkpoint goes. */
  checkpoint: string;
  /** A checkpoint to go on from. */
  resume?: string;
}

class Network extends Module {
  readonly net = perceptron();
  override forward(x: tf.Tensor): tf.Tensor {
    return this.net.apply(x, { training: this.training }) as tf.Tensor;
  }
  loss([x, y]: Batch): tf.Tensor {
    return crossEntropy(this.forward(x), y);
  }
}

const { values: args } = parseArgs({
  options: {
    epochs: { type: "string", default: "3" },
    resume: { type: "string" },
    samples: { type: "string" },
  },
});
seed_everything(42);
const fabric = new Fabric({ strategy: "dp", loggers: new CSVLogger("logs", { name: "template" }) });
await fabric.launch();
const [train, val] = fabric.setupDataloaders(
  ...await mnistLoaders({ batchSize: 50, samples: args.samples === undefined ? undefined : Number(args.samples) }),
);
await fit(new Network(), train, val, {
  epochs: Number(args.epochs),
  accumulate: 2,
  maxNorm: 1,
  checkpoint: "checkpoints/template.safetensors",
  resume: args.resume,
});
await fabric.close();

// ---------------------------------------------------------------------------------------------------------------------------------

async function fit(network: Network, train: DataLoader<Batch>, val: DataLoader<Batch>, options: TrainingOptions) {
  const [model, optimizer] = await fabric.setup(network, tf.train.adam(1e-3));
  model.markForwardMethod("loss");
  const progress = { epoch: 0, step: 0, best: 0 };
  if (options.resume) {
    const state = { model, optimizer, ...progress };
    await fabric.load(options.resume, state);
    Object.assign(progress, { epoch: state.epoch, step: state.step, best: state.best });
  }
  while (progress.epoch < options.epochs) {
    model.train();
    train.setEpoch(progress.epoch);
    let microBatch = 0;
    for await (const batch of train) {
      microBatch++;
      const accumulating = microBatch % options.accumulate !== 0 && microBatch < train.length;
      using _ = fabric.noBackwardSync(model, accumulating);
      await fabric.backward(model.loss(batch).div(options.accumulate));
      if (accumulating) continue;
      await fabric.clipGradients(model, { maxNorm: options.maxNorm });
      optimizer.step();
      optimizer.zeroGrad();
      progress.step++;
    }
    progress.epoch++;
    const { loss, accuracy } = await evaluate(fabric, model, val);
    await fabric.logDict({ epoch: progress.epoch, val_loss: loss, val_acc: accuracy }, progress.step);
    fabric.print(
      `epoch ${progress.epoch}/${options.epochs}  val_loss=${loss.toFixed(4)} val_acc=${accuracy.toFixed(4)}`,
    );
    if (accuracy <= progress.best) continue;
    progress.best = accuracy;
    await fabric.save(options.checkpoint, { model, optimizer, ...progress });
  }
}
