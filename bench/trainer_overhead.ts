/**
 * Microseconds a training step takes in a bare loop, with Fabric and with the Trainer: the reference perceptron on MNIST, the same loader,
 * loss and optimizer in all three, in turn in one process.
 *
 *     deno run -A bench/trainer_overhead.ts [--accelerator wasm] [--rounds 5] [--steps 600]
 *
 * The best of the rounds: what else the machine does can only add. The Trainer has its progress bar, CSV logger and checkpoint callback, and logs every 50 steps, as it does by default.
 */
import { parseArgs } from "node:util";
import {
  type AcceleratorName,
  Adam,
  crossEntropy,
  CSVLogger,
  DataLoader,
  Fabric,
  LambdaCallback,
  LightningModule,
  loadAccelerator,
  MNIST,
  silenceWarnings,
  tf,
  Trainer,
} from "../mod.ts";
import { asOptimizer } from "../runtime/optim/as_optimizer.ts";
import { asModule } from "../runtime/nn/layers_module.ts";
import { accumulateGradient } from "../runtime/tensor/gradients.ts";
import { backward, beginTape } from "../runtime/tensor/tape.ts";

type Batch = [tf.Tensor, tf.Tensor];

const { values: args } = parseArgs({
  options: {
    accelerator: { type: "string", default: "wasm" },
    rounds: { type: "string", default: "5" },
    steps: { type: "string", default: "600" },
  },
});
const accelerator = args.accelerator as AcceleratorName, steps = Number(args.steps);
silenceWarnings("all");
await loadAccelerator(accelerator);
const images = await MNIST.load({ train: true });
const loader = () => new DataLoader(images, { batchSize: 100, shuffle: true, seed: 1 });
const perceptron = () =>
  tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
      tf.layers.dense({ units: 10 }),
    ],
  });

class Classifier extends LightningModule {
  readonly net = perceptron();
  override trainingStep([x, y]: Batch): tf.Tensor {
    const loss = crossEntropy(this.run(this.net, x), y);
    this.log("train_loss", loss, { progBar: true });
    return loss;
  }
  override configureOptimizers() {
    return new Adam({ learningRate: 1e-3 });
  }
}

/** Each runs `steps` steps and returns the milliseconds they took, start-up left out. */
const programs: Record<string, () => Promise<number>> = {
  async "bare loop"() {
    const model = asModule(perceptron());
    const optimizer = asOptimizer(new Adam({ learningRate: 1e-3 }), { named: model.namedParameters() });
    const variables = model.parameters();
    return await timed(async (done) => {
      for await (const [x, y] of loader()) {
        optimizer.zeroGrad();
        beginTape();
        backward(crossEntropy(model.forward(x), y), variables, { onGradient: accumulateGradient });
        optimizer.step();
        if (done()) break;
      }
    });
  },
  async Fabric() {
    await using fabric = new Fabric({ accelerator });
    await fabric.launch();
    const [model, optimizer] = await fabric.setup(perceptron(), new Adam({ learningRate: 1e-3 }));
    const train = fabric.setupDataloaders(loader());
    return await timed(async (done) => {
      for await (const [x, y] of train) {
        optimizer.zeroGrad();
        await fabric.backward(crossEntropy(model.forward(x), y));
        optimizer.step();
        if (done()) break;
      }
    });
  },
  async Trainer() {
    const folder = await Deno.makeTempDir();
    try {
      let start = 0, end = 0;
      const clock = {
        onTrainEpochStart: () => void (start = performance.now()),
        onTrainEpochEnd: () => void (end = performance.now()),
      };
      await using trainer = new Trainer({
        accelerator,
        maxSteps: steps,
        logger: new CSVLogger(folder),
        defaultRootDir: folder,
        enableModelSummary: false,
        callbacks: [new LambdaCallback(clock)],
      });
      await trainer.fit(new Classifier(), loader());
      return end - start;
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

const measured: Record<string, number[]> = {};
for (let round = 0; round <= Number(args.rounds); round++) {
  const order = Object.entries(programs);
  // Each goes first in turn: what a program leaves to the collector is paid for by the next.
  for (let i = 0; i < round % order.length; i++) order.push(order.shift()!);
  for (const [name, run] of order) {
    const milliseconds = await run();
    // The first round compiles everything.
    if (round > 0) (measured[name] ??= []).push(milliseconds * 1000 / steps);
  }
}
const best = (values: number[]) => Math.min(...values);
const bare = best(measured["bare loop"]);
console.log(
  `${args.accelerator}, ${Deno.build.target}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`,
);
for (const name of Object.keys(programs)) {
  const us = best(measured[name]);
  console.log(`${name.padEnd(10)} ${us.toFixed(0).padStart(6)} µs a step  ${(us / bare).toFixed(2)} x the bare loop`);
}

async function timed(loop: (done: () => boolean) => Promise<void>): Promise<number> {
  const start = performance.now();
  let left = steps;
  await loop(() => --left === 0);
  return performance.now() - start;
}
