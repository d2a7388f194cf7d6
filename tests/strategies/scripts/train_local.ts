/** A rank: trains a small network by a loop of its own with local SGD, and tells what it came to. Arguments: what to do, as JSON ({@linkcode LocalTraining}). */
import { Adam, DDPStrategy, Fabric, LocalSGDStrategy, seed_everything, SGD, tf } from "../../../mod.ts";
import type { LocalTraining } from "../local_training.ts";

const { steps, localSteps, warmupSteps, optimizer: name, accelerator, compile, shares, saveAt, from, folder } = JSON
  .parse(Deno.args[0]) as LocalTraining;
seed_everything(3, { verbose: false });
const strategy = localSteps ? new LocalSGDStrategy({ localSteps, warmupSteps }) : new DDPStrategy();
const fabric = new Fabric({ accelerator: accelerator ?? "wasm", strategy });
await fabric.launch();
const net = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [3], units: 8, activation: "tanh" }),
    tf.layers.batchNormalization(),
    tf.layers.dense({ units: 1 }),
  ],
});
const made = name === "adam" ? new Adam({ learningRate: 0.01 }) : new SGD({ learningRate: 0.05, momentum: 0.9 });
const [model, optimizer] = await fabric.setup(net, made);
const state = { model, optimizer, step: 0 };
if (from) await fabric.load(`${folder}/${from}`, state);

/** The weights of this rank, and whether they are the other's too. */
async function weights(): Promise<number[]> {
  return (await Promise.all(Object.values(model.stateDict()).map(async (v) => [...await (v as tf.Tensor).data()])))
    .flat();
}

async function train(x: tf.Tensor, y: tf.Tensor): Promise<tf.Tensor> {
  optimizer.zeroGrad();
  const loss = model.forward(x).sub(y).square().mean();
  await fabric.backward(loss);
  await optimizer.step();
  return loss;
}
const step = compile ? fabric.compile(train, { compile: "exact", name: "train" }) : train;

const rows = shares?.[fabric.globalRank] ?? Array.from({ length: steps }, () => 8);
function* batches(): Generator<[tf.Tensor, tf.Tensor]> {
  for (let i = state.step; i < rows.length; i++) {
    const x = tf.randomNormal([rows[i], 3], 0, 1, "float32", 1000 * fabric.globalRank + i + 1);
    yield [x, x.sum(1, true).square()];
  }
}

const differ: boolean[] = [], flags: boolean[] = [];
const counted = Object.assign(batches(), { length: rows.length - state.step });
for await (const batch of fabric.join(counted)) {
  if (fabric.globalRank === 1 && state.step === 1) fabric.raiseFlag("checkpoint");
  if (batch) await step(...batch);
  else {
    optimizer.zeroGrad();
    await fabric.backwardWithoutBatch();
    await optimizer.step();
  }
  state.step++;
  flags.push(fabric.agreedFlags.has("checkpoint"));
  const all = await fabric.allGatherObjects(await weights());
  differ.push(String(all[0]) !== String(all[1]));
  if (state.step === saveAt) await fabric.save(`${folder}/saved`, state);
}
const before = await weights();
await optimizer.synchronize();
await fabric.save(`${folder}/last`, state);
const { state: remembered } = optimizer.stateDict() as { state: Record<string, Record<string, number | tf.Tensor>> };
const parts = Object.values(remembered).flatMap((part) => Object.values(part));
const memory =
  (await Promise.all(parts.map(async (part) => typeof part === "number" ? [part] : [...await part.data()])))
    .flat();
const all = await fabric.allGatherObjects({ before, after: await weights(), memory, differ, flags });
if (fabric.isGlobalZero) console.log(`RESULT ${JSON.stringify(all)}`);
await fabric.close();
