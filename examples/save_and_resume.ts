/**
 * Saves at the third epoch and resumes from there to the sixth, in one program: the resumed run ends with the same weights as one
 * that was never interrupted.
 *
 *     deno run -A examples/save_and_resume.ts [--samples 60000]
 */
import { parseArgs } from "node:util";
import { crossEntropy, Fabric, seed_everything, tf } from "../mod.ts";
import { evaluate, mnistLoaders, perceptron } from "./shared/mnist_perceptron.ts";

const { values: args } = parseArgs({ options: { samples: { type: "string" } } });
const path = "checkpoints/save_and_resume.safetensors";

seed_everything(42);
const fabric = new Fabric({ strategy: "dp" });
await fabric.launch();
const [trainLoader, valLoader] = await mnistLoaders({
  samples: args.samples === undefined ? undefined : Number(args.samples),
});

/** Trains a new model, from the checkpoint if there is one to resume from, and saves at `saveAt`. */
async function run(options: { until: number; saveAt?: number; resume?: boolean }): Promise<number[]> {
  const [train, val] = fabric.setupDataloaders(trainLoader, valLoader);
  const [model, optimizer] = await fabric.setup(perceptron(), tf.train.adam(1e-3));
  const progress = { epoch: 0 };
  if (options.resume) {
    const state = { model, optimizer, ...progress };
    await fabric.load(path, state);
    progress.epoch = state.epoch;
    fabric.print(`resumed after epoch ${progress.epoch}`);
  }
  while (progress.epoch < options.until) {
    train.setEpoch(progress.epoch);
    for await (const [x, y] of train) {
      optimizer.zeroGrad();
      await fabric.backward(crossEntropy(model.forward(x), y));
      optimizer.step();
    }
    progress.epoch++;
    const { loss, accuracy } = await evaluate(fabric, model, val);
    fabric.print(
      `epoch ${progress.epoch}/${options.until}  val_loss=${loss.toFixed(4)} val_acc=${accuracy.toFixed(4)}`,
    );
    if (progress.epoch === options.saveAt) await fabric.save(path, { model, optimizer, ...progress });
  }
  return (await Promise.all(model.parameters().map(async (v) => [...await v.data()]))).flat();
}

fabric.print("six epochs without a break, a checkpoint after the third");
const undisturbed = await run({ until: 6, saveAt: 3 });
const resumed = await run({ until: 6, resume: true });
fabric.print(`the same weights to the bit: ${undisturbed.every((w, i) => w === resumed[i])}`);
await fabric.close();
