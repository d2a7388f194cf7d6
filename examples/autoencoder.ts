/**
 * An autoencoder: images of 784 pixels through a bottleneck of 32 numbers and back. Prints how much of the images' variance survives,
 * and a few digits beside their reconstructions.
 *
 *     deno run -A examples/autoencoder.ts [--epochs 10] [--samples 60000]
 *
 * 10 epochs reach a mean squared error of .0073 and keep 89 % of the variance; 80 s of one core with wasm.
 */
import { parseArgs } from "node:util";
import { LightningModule, MeanSquaredError, mseLoss, seed_everything, tf, Trainer } from "../mod.ts";
import { mnistLoaders } from "./shared/mnist_perceptron.ts";

type Batch = [tf.Tensor, tf.Tensor];
const { dense } = tf.layers;

class Autoencoder extends LightningModule<{ bottleneck: number }> {
  readonly encoder: tf.Sequential;
  readonly decoder: tf.Sequential;
  readonly error = new MeanSquaredError();
  readonly errorOfMean = new MeanSquaredError();

  constructor(hparams = { bottleneck: 32 }) {
    super();
    this.saveHyperparameters(hparams);
    const { bottleneck } = hparams;
    this.encoder = tf.sequential({
      layers: [dense({ inputShape: [784], units: 128, activation: "relu" }), dense({ units: bottleneck })],
    });
    this.decoder = tf.sequential({
      layers: [
        dense({ inputShape: [bottleneck], units: 128, activation: "relu" }),
        dense({ units: 784, activation: "sigmoid" }),
      ],
    });
  }

  override forward(x: tf.Tensor): tf.Tensor {
    return this.run(this.decoder, this.run(this.encoder, x));
  }

  override trainingStep([x]: Batch): tf.Tensor {
    const loss = mseLoss(this.forward(x), x);
    this.log("train_mse", loss, { progBar: true });
    return loss;
  }

  override validationStep([x]: Batch): void {
    this.error.update(this.forward(x), x);
    // What a bottleneck of no numbers could do: the same image for all.
    this.errorOfMean.update(x.mean(0, true).tile([x.shape[0], 1]), x);
    this.log("val_mse", this.error, { progBar: true });
    this.log("mean_mse", this.errorOfMean);
  }

  override configureOptimizers(): tf.Optimizer {
    return tf.train.adam(1e-3);
  }
}

/** Images of 28 by 28 pixels side by side, in characters. */
function draw(images: number[][]): string {
  const line = (pixels: number[], y: number) =>
    Array.from({ length: 28 }, (_, x) => {
      const brightness = (pixels[2 * y * 28 + x] + pixels[(2 * y + 1) * 28 + x]) / 2;
      return " .:-=+*#%@"[Math.min(9, Math.floor(brightness * 10))];
    }).join("");
  return Array.from({ length: 14 }, (_, y) => images.map((pixels) => line(pixels, y)).join("").trimEnd()).join("\n");
}

const { values: args } = parseArgs({
  options: { epochs: { type: "string", default: "10" }, samples: { type: "string" } },
});

seed_everything(42);
const [train, val] = await mnistLoaders({ samples: args.samples === undefined ? undefined : Number(args.samples) });
const model = new Autoencoder();
const trainer = new Trainer({
  strategy: "dp",
  maxEpochs: Number(args.epochs),
  logger: false,
  enableCheckpointing: false,
});
await trainer.fit(model, train, val);
const { val_mse, mean_mse } = trainer.callbackMetrics;
for await (const [x] of val) {
  model.eval();
  const three = x.slice(0, 3), restored = model.forward(three);
  trainer.print(draw(await three.array() as number[][]));
  trainer.print(draw(await restored.array() as number[][]));
  break;
}
trainer.print(`val_mse=${val_mse.toFixed(5)} kept=${(1 - val_mse / mean_mse).toFixed(3)}`);
await trainer.close();
