/** Small models and data for the Trainer's tests. */
import { DataLoader, TensorDataset, tf } from "../../../mod.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import { Trainer } from "../../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { Random } from "../../../runtime/seed/random.ts";

export type Batch = [tf.Tensor, tf.Tensor];

/** `samples` points of a plane with a little noise; always the same ones. */
export function plane(samples: number, features = 2): TensorDataset<HostTensorPair> {
  const random = new Random(11);
  const x = Float32Array.from({ length: samples * features }, () => random.uniform() * 2 - 1);
  const y = Float32Array.from(
    { length: samples },
    (_, i) => 2 * x[i * features] - x[i * features + 1] + 0.1 * random.uniform(),
  );
  return new TensorDataset(
    { dtype: "float32", shape: [samples, features], data: x },
    { dtype: "float32", shape: [samples, 1], data: y },
  ) as unknown as TensorDataset<HostTensorPair>;
}

// deno-lint-ignore no-explicit-any
type HostTensorPair = any;

/** A loader of {@linkcode plane}. */
export function planeLoader(
  options: { samples?: number; batchSize?: number; shuffle?: boolean; seed?: number } = {},
): DataLoader<Batch> {
  const { samples = 16, batchSize = 4, shuffle = false, seed = 5 } = options;
  return new DataLoader(plane(samples), { batchSize, shuffle, seed }) as unknown as DataLoader<Batch>;
}

/** A dense layer with weights that are the same every time. */
export function dense(units: number, inputs: number, options: { activation?: "tanh"; seed?: number } = {}) {
  return tf.layers.dense({
    inputShape: [inputs],
    units,
    activation: options.activation,
    kernelInitializer: tf.initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed: options.seed ?? 7 }),
  });
}

/** Linear regression that logs its losses. */
export class Line extends LightningModule {
  readonly net = tf.sequential({ layers: [dense(1, 2)] });
  rate = 0.1;

  override forward(x: tf.Tensor): tf.Tensor {
    return this.run(this.net, x);
  }
  lossOf([x, y]: Batch): tf.Tensor {
    return this.forward(x).sub(y).square().mean();
  }
  override trainingStep(batch: Batch, _batchIdx: number): ReturnType<LightningModule["trainingStep"]> {
    const loss = this.lossOf(batch);
    this.log("train_loss", loss);
    return loss;
  }
  override validationStep(batch: Batch, _batchIdx: number, _dataloaderIdx: number): unknown {
    this.log("val_loss", this.lossOf(batch));
    return undefined;
  }
  override testStep(batch: Batch): void {
    this.log("test_loss", this.lossOf(batch));
  }
  override configureOptimizers(): ReturnType<LightningModule["configureOptimizers"]> {
    return tf.train.sgd(this.rate);
  }
}

/** A Trainer that prints, logs and saves nothing unless asked to. */
export function quietTrainer(options: TrainerOptions = {}): Trainer {
  return new Trainer({
    accelerator: "cpu",
    logger: false,
    enableCheckpointing: false,
    enableProgressBar: false,
    enableModelSummary: false,
    ...options,
  });
}

/** All parameters as plain numbers. */
export function weightsOf(module: LightningModule): Record<string, number[]> {
  return Object.fromEntries(
    [...module.namedParameters()].map(([name, variable]) => [name, Array.from(variable.dataSync())]),
  );
}
