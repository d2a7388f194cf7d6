/** A rank of bench/strategies.ts: `strategies_program.ts FOLDER STRATEGY MODEL STEPS`. Writes what it saw as JSON, {@linkcode RankCost}. The batch, 100 a rank, comes from memory. */
import { Fabric } from "../runtime/fabric/fabric.ts";
import { crossEntropy } from "../runtime/nn/functional.ts";
import { Adam } from "../runtime/optim/adam.ts";
import { withScope } from "../runtime/tensor/scope.ts";
import { tf } from "../runtime/tensor/tf.ts";
import { CLASSES, denseNetwork, INPUTS } from "./dense_network.ts";
import { peakMegabytes } from "./peak_memory.ts";
import { STRATEGIES } from "./strategies_compared.ts";

/** What a rank saw. */
export interface RankCost {
  /** Milliseconds a step. */
  ms: number;
  /** Megabytes of optimizer state, and the most memory that the process had at a time. */
  stateMegabytes: number;
  peakMegabytes: number;
}

const [folder, name, model, steps] = Deno.args;
// Averaging steps of local SGD are every eighth, and each kind of step is measured in both modes before one is chosen.
const BATCH = 100, WARM_UP = 200;

const fabric = new Fabric({ accelerator: "cpu", strategy: STRATEGIES[name]() });
await fabric.launch();
const net = denseNetwork(model);
const [ready, optimizer] = await fabric.setup(net, new Adam({ learningRate: 1e-3 }));
const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(ready.forward(x), y);
  await fabric.backward(loss);
  await optimizer.step();
  return loss;
});
const inputs = Float32Array.from({ length: BATCH * INPUTS }, () => Math.random());
const labels = Int32Array.from({ length: BATCH }, () => Math.random() * CLASSES);
const run = () =>
  withScope(async () => void await step(tf.tensor(inputs, [BATCH, INPUTS]), tf.tensor(labels, [BATCH], "int32")));

for (let i = 0; i < WARM_UP; i++) await run();
await fabric.barrier();
const begun = performance.now();
for (let i = 0; i < Number(steps); i++) await run();
// Whatever is computed later is computed now.
net.weights.at(-1)!.read().dataSync();
const ms = (performance.now() - begun) / Number(steps);
const state = Object.values(optimizer.ownStateDict().state as Record<string, Record<string, unknown>>);
const numbers = state.flatMap((part) => Object.values(part))
  .reduce<number>((sum, value) => sum + (value instanceof tf.Tensor ? value.size : 0), 0);
const cost: RankCost = {
  ms,
  stateMegabytes: numbers * 4 / 1e6,
  peakMegabytes: peakMegabytes(),
};
await Deno.writeTextFile(`${folder}/${fabric.globalRank}`, JSON.stringify(cost));
await fabric.close();
