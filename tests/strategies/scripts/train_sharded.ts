/** A rank: trains a small network by a loop of its own, and saves. Arguments: what to do, as JSON ({@linkcode Training}), and a folder. */
import { Adam, DDPStrategy, Fabric, seed_everything, tf } from "../../../mod.ts";
import type { Training } from "../sharded.ts";

const [given, folder] = Deno.args;
const { shard, name, from, steps, accelerator = "wasm", compile, unevenly, clip } = JSON.parse(given) as Training;
seed_everything(3, { verbose: false });
const fabric = new Fabric({ accelerator, strategy: new DDPStrategy({ shardOptimizerState: shard }) });
await fabric.launch();
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [6], units: 32, activation: "relu" }),
    tf.layers.dense({ units: 30, activation: "tanh" }),
    tf.layers.dense({ units: 2 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, new Adam({ learningRate: 0.01 }));
const state = { model, optimizer, step: 0 };
if (from) await fabric.load(`${folder}/${from}`, state);

async function train(x: tf.Tensor, y: tf.Tensor): Promise<tf.Tensor> {
  optimizer.zeroGrad();
  const loss = model.forward(x).sub(y).square().mean();
  await fabric.backward(loss);
  if (clip) await fabric.clipGradients(model, { maxNorm: clip });
  await optimizer.step();
  return loss;
}
const step = compile ? fabric.compile(train, { compile: "exact", name: "train" }) : train;

/** This rank's batches. With `unevenly` the first has fewer, and all have some smaller ones. */
function* batches(): Generator<[tf.Tensor, tf.Tensor]> {
  const count = unevenly && fabric.globalRank === 0 ? steps - 2 : steps;
  for (let i = 0; i < count; i++) {
    const seed = 1000 * fabric.globalRank + state.step + i + 1, rows = unevenly && i % 2 ? 3 : 8;
    const x = tf.randomNormal([rows, 6], 0, 1, "float32", seed);
    yield [x, tf.stack([x.sum(1), x.square().sum(1)], 1)];
  }
}
for await (const batch of unevenly ? fabric.join(batches()) : batches()) {
  if (batch) await step(...batch);
  else {
    optimizer.zeroGrad();
    await fabric.backwardWithoutBatch();
    await optimizer.step();
  }
}
state.step += steps;
await fabric.save(`${folder}/${name}`, state);
const own = optimizer.ownStateDict().state as Record<string, Record<string, unknown>>;
const stateBytes = Object.values(own).flatMap((part) => Object.values(part))
  .reduce<number>((sum, value) => sum + (value instanceof tf.Tensor ? value.size * 4 : 0), 0);
const weights = (await Promise.all(model.parameters().map(async (v) => [...await v.data()]))).flat();
const all = await fabric.allGatherObjects({ weights, stateBytes });
if (fabric.isGlobalZero) await Deno.writeTextFile(`${folder}/${name}.json`, JSON.stringify(all));
await fabric.close();
