/** Every rank of a multi-rank test checks what it sees and prints `checked` at the end. */
import assert from "node:assert/strict";
import { DataLoader, Fabric, Module, TensorDataset, tf } from "../../../mod.ts";
import { gradientOf } from "../../../runtime/tensor/gradients.ts";

const folder = Deno.args[0];
const fabric = new Fabric({ accelerator: "wasm" });
assert.throws(() => fabric.device, /before `await fabric.launch\(\)`/);
await assert.rejects(() => fabric.setup(tf.sequential()), /before `await fabric.launch\(\)`/);
await fabric.launch();
const { globalRank: rank, worldSize } = fabric;
const ranks = Array.from({ length: worldSize }, (_, r) => r);
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

// Collectives over numbers, tensors and trees.
assert.equal(await fabric.allReduce(rank), sum(ranks) / worldSize);
assert.equal(await fabric.allReduce(rank, { op: "max" }), worldSize - 1);
const reduced = await fabric.allReduce({ loss: tf.tensor1d([rank, 1]), n: 2 }, { op: "sum" });
assert.deepEqual([[...reduced.loss.dataSync()], reduced.n], [[sum(ranks), worldSize], 2 * worldSize]);
const gathered = await fabric.allGather({ id: rank, row: tf.tensor1d([rank, -rank], "int32") });
assert.deepEqual([...gathered.id.dataSync()], ranks);
assert.deepEqual(gathered.row.arraySync(), ranks.map((r) => [r, r === 0 ? 0 : -r]));
await assert.rejects(() => fabric.allGather(tf.zeros([rank + 1])), /one shape/);
const received = await fabric.broadcast({ from: rank, weights: tf.tensor1d([rank, 2]) }, { root: worldSize - 1 });
assert.equal(received.from, worldSize - 1);
assert.deepEqual([...received.weights.dataSync()], [worldSize - 1, 2]);
assert.deepEqual(await fabric.allGatherObjects({ rank }), ranks.map((r) => ({ rank: r })));
await fabric.barrier();

// Rank 0 first: what it leaves, the others find.
const marker = `${folder}/marker`;
const found = await fabric.rankZeroFirst(async () => {
  if (rank === 0) await Deno.writeTextFile(marker, "rank 0 was here");
  return await Deno.readTextFile(marker);
});
assert.equal(found, "rank 0 was here");
await assert.rejects(() => fabric.rankZeroFirst(() => Promise.reject(new Error("no network"))), /no network/);

// Weights become rank 0's; gradients the mean; accumulation stays local until the last backward.
class Net extends Module {
  readonly w = tf.tidy(() => tf.variable(tf.fill([2], rank + 1)));
  override forward(x: tf.Tensor): tf.Tensor {
    return this.w.mul(x).sum();
  }
}
const [model, optimizer] = await fabric.setup(new Net(), tf.train.sgd(1));
assert.deepEqual([...model.w.dataSync()], [1, 1]);
await fabric.backward(model.forward(tf.fill([2], rank)));
assert.deepEqual([...gradientOf(model.w)!.dataSync()], Array(2).fill(Math.fround(sum(ranks) / worldSize)));
optimizer.zeroGrad();
for (const last of [false, true]) {
  using _ = fabric.noBackwardSync(model, !last);
  await fabric.backward(model.forward(tf.fill([2], rank)));
  if (!last) assert.deepEqual([...gradientOf(model.w)!.dataSync()], [rank, rank]);
}
assert.deepEqual([...gradientOf(model.w)!.dataSync()], Array(2).fill(Math.fround(2 * sum(ranks) / worldSize)));
optimizer.zeroGrad();
await fabric.backward(() => model.forward(tf.fill([2], rank + 1)));
optimizer.step();
optimizer.zeroGrad();
const weights = await fabric.allGatherObjects([...model.w.dataSync()]);
assert.ok(weights.every((other) => other.join() === weights[0].join()));

// A flag raised on the last rank is seen by all after the next backward.
if (rank === worldSize - 1) fabric.raiseFlag("stop");
await fabric.backward(model.forward(tf.ones([2])));
assert.deepEqual([...fabric.agreedFlags], ["stop"]);
optimizer.zeroGrad();

// Loaders: shuffled ones are padded and reshuffled, others dealt out by batches without padding.
const dataset = new TensorDataset({ dtype: "int32", shape: [11], data: Int32Array.from({ length: 11 }, (_, i) => i) });
const seen = async (loader: AsyncIterable<tf.Tensor[]>) => {
  const values: number[] = [];
  for await (const [x] of loader) values.push(...x.dataSync());
  return values;
};
const train = fabric.setupDataloaders(new DataLoader(dataset, { batchSize: 2, shuffle: true }));
const first = await fabric.allGatherObjects(await seen(train));
assert.deepEqual([...new Set(first.flat())].sort((a, b) => a - b), [...Array(11).keys()]);
assert.ok(first.every((part) => part.length === Math.ceil(11 / worldSize)));
assert.notDeepEqual(await fabric.allGatherObjects(await seen(train)), first);
const val = fabric.setupDataloaders(new DataLoader(dataset, { batchSize: 2 }));
const parts = await fabric.allGatherObjects(await seen(val));
assert.deepEqual(parts.flat().sort((a, b) => a - b), [...Array(11).keys()]);

// Random streams: the same seed, other dropout masks.
fabric.seedEverything(42, { verbose: false });
const draws = await fabric.allGatherObjects([...tf.randomUniform([4]).dataSync()]);
assert.equal(new Set(draws.map(String)).size, worldSize);

// A checkpoint is written once and read by all; what fails on rank 0 fails everywhere.
await fabric.save(`${folder}/checkpoint`, { model, step: 5 });
const state = { model, step: 0 };
await fabric.load(`${folder}/checkpoint`, state);
assert.equal(state.step, 5);
await assert.rejects(() => fabric.save(`${folder}/marker/below`, { model }), /below/);

console.log("checked");
await fabric.close();
