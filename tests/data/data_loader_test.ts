import assert from "node:assert/strict";
import { DataLoader } from "../../runtime/data/data_loader.ts";
import { BatchSampler, DistributedSampler, RandomSampler, SequentialSampler } from "../../runtime/data/samplers.ts";
import { TensorDataset } from "../../runtime/data/tensor_dataset.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { seed_everything, unseedRandom } from "../../runtime/seed/seed_everything.ts";
import { tf } from "../../runtime/tensor/tf.ts";

await tf.setBackend("cpu");

/** Ten samples: row i is [i, i + 0.5], labelled 10 i. */
function tenRows() {
  return new TensorDataset(
    { dtype: "float32", shape: [10, 2], data: Float32Array.from({ length: 20 }, (_, k) => k / 2) },
    Int32Array.from({ length: 10 }, (_, i) => 10 * i),
  );
}

/** The labels of each batch. */
async function labels(loader: AsyncIterable<tf.Tensor[]>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const [, y] of loader) batches.push([...y.dataSync()]);
  return batches;
}

Deno.test("batches are tensors of rows in order, the last one smaller", async () => {
  const loader = new DataLoader(tenRows(), { batchSize: 4 });
  assert.equal(loader.length, 3);
  const seen: unknown[] = [];
  for await (const [x, y] of loader) {
    seen.push([x.shape, x.dtype, [...x.dataSync()], y.shape, y.dtype, [...y.dataSync()]]);
  }
  assert.deepEqual(seen[2], [[2, 2], "float32", [8, 8.5, 9, 9.5], [2], "int32", [80, 90]]);
  assert.equal(seen.length, 3);
});

Deno.test("dropLast leaves the smaller batch out", async () => {
  const loader = new DataLoader(tenRows(), { batchSize: 4, dropLast: true });
  assert.equal(loader.length, 2);
  assert.deepEqual(await labels(loader), [[0, 10, 20, 30], [40, 50, 60, 70]]);
});

Deno.test("a shuffled loader gives every sample once, in another order each epoch, the same for the same seed", async () => {
  const a = new DataLoader(tenRows(), { batchSize: 3, shuffle: true, seed: 7 });
  const b = new DataLoader(tenRows(), { batchSize: 3, shuffle: true, seed: 7 });
  const first = await labels(a), second = await labels(a);
  assert.deepEqual(first.flat().sort((p, q) => p - q), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  assert.notDeepEqual(first, second);
  assert.deepEqual([await labels(b), await labels(b)], [first, second]);
  b.setEpoch(0);
  assert.deepEqual(await labels(b), first);
});

Deno.test("tensors made while a batch is out are freed when the next is asked for, at a break and at a throw", async () => {
  const before = tf.memory().numTensors;
  const loader = new DataLoader(tenRows(), { batchSize: 4 });
  let inside = 0;
  for await (const [x] of loader) {
    x.square().sum();
    inside = Math.max(inside, tf.memory().numTensors);
  }
  assert.equal(inside, before + 4);
  assert.equal(tf.memory().numTensors, before);
  for await (const [x] of loader) {
    x.square();
    break;
  }
  assert.equal(tf.memory().numTensors, before);
  await assert.rejects(async () => {
    for await (const [x] of loader) {
      x.square();
      throw new Error("mine");
    }
  }, /mine/);
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("variables and kept tensors outlive their batch", async () => {
  let variable: tf.Variable | undefined, kept: tf.Tensor | undefined;
  for await (const [x] of new DataLoader(tenRows(), { batchSize: 10 })) {
    variable = tf.variable(x.sum());
    kept = tf.keep(x.mean());
  }
  assert.equal(variable!.dataSync()[0], 95);
  assert.equal(kept!.dataSync()[0], 4.75);
  tf.dispose([variable!, kept!]);
});

Deno.test("a loader inside a loader frees its own batches alone", async () => {
  const before = tf.memory().numTensors;
  for await (const [x] of new DataLoader(tenRows(), { batchSize: 5 })) {
    const mine = x.square();
    for await (const [inner] of new DataLoader(tenRows(), { batchSize: 5 })) inner.square();
    assert.equal(mine.isDisposed, false);
    assert.equal(x.isDisposed, false);
  }
  assert.equal(tf.memory().numTensors, before);
});

for (const batch of [0, 1, 2, 4]) {
  Deno.test(`a loader resumed after ${batch} batches gives exactly the remaining ones, then the same epochs`, async () => {
    const make = (seed?: number) => new DataLoader(tenRows(), { batchSize: 3, shuffle: true, seed });
    const whole = make(5);
    const epochs = [await labels(whole), await labels(whole), await labels(whole)];

    const interrupted = make(5);
    await labels(interrupted);
    let state = interrupted.stateDict();
    let count = 0;
    for await (const _ of interrupted) {
      if (count === batch) break;
      count++;
      state = interrupted.stateDict();
    }
    assert.equal(state.epoch, 1);
    assert.equal(state.batch, batch);
    const resumed = make();
    resumed.loadStateDict(structuredClone(state));
    resumed.setEpoch(1); // as a training loop does before each epoch
    assert.deepEqual(await labels(resumed), epochs[1].slice(batch));
    assert.deepEqual(await labels(resumed), epochs[2]);
  });
}

Deno.test("after its last batch a loader's state is the beginning of the next epoch", async () => {
  const loader = new DataLoader(tenRows(), { batchSize: 3 });
  await labels(loader);
  assert.deepEqual([loader.stateDict().epoch, loader.stateDict().batch], [1, 0]);
});

Deno.test("the order of a sampler of one's own is saved and resumed", async () => {
  let calls = 0;
  const sampler = () => ({
    length: 6,
    *[Symbol.iterator]() {
      calls++;
      for (let i = 0; i < 6; i++) yield (i * 7 + calls) % 10;
    },
  });
  const loader = new DataLoader(tenRows(), { batchSize: 2, sampler: sampler() });
  const seen: number[][] = [];
  let state = loader.stateDict();
  for await (const [, y] of loader) {
    seen.push([...y.dataSync()]);
    if (seen.length === 1) state = structuredClone(loader.stateDict());
  }
  const resumed = new DataLoader(tenRows(), { batchSize: 2, sampler: sampler() });
  resumed.loadStateDict(state);
  assert.deepEqual(await labels(resumed), seen.slice(1));
});

Deno.test("a state of a loader with another number of batches is an error, or starts the epoch anew", async () => {
  const loader = new DataLoader(tenRows(), { batchSize: 3 });
  for await (const _ of loader) break;
  const other = new DataLoader(tenRows(), { batchSize: 5 });
  assert.throws(() => other.loadStateDict(loader.stateDict()), /batch 1 of 4, but this loader has 2 batches/);
  other.loadStateDict(loader.stateDict(), { strict: false });
  assert.equal((await labels(other)).length, 2);
});

Deno.test("an epoch set on the sampler itself counts, as in PyTorch", async () => {
  const sampler = new DistributedSampler({ length: 10 }, { numReplicas: 2, rank: 0, seed: 3 });
  const loader = new DataLoader(tenRows(), { batchSize: 5, sampler });
  await labels(loader);
  sampler.setEpoch(9);
  const ninth = await labels(loader);
  const direct = new DistributedSampler({ length: 10 }, { numReplicas: 2, rank: 0, seed: 3 });
  direct.setEpoch(9);
  assert.deepEqual(ninth.flat(), [...direct].map((i) => 10 * i));
});

Deno.test("withSampler and reconfigure give copies, the loader stays as it was", async () => {
  const loader = new DataLoader(tenRows(), { batchSize: 4, shuffle: true });
  assert.equal(loader.shuffle, true);
  const share = loader.withSampler(
    new DistributedSampler(loader.dataset as TensorDataset, { numReplicas: 2, rank: 1, shuffle: false }),
  ).reconfigure({ batchSize: 2 });
  assert.equal(share.batchSize, 2);
  assert.equal(share.shuffle, false);
  assert.deepEqual(await labels(share), [[10, 30], [50, 70], [90]]);
  assert.equal(loader.batchSize, 4);
  assert.ok(loader.sampler instanceof RandomSampler);
  const cut = new DataLoader(tenRows(), {
    batchSampler: new BatchSampler(new SequentialSampler(tenRows()), { batchSize: 6 }),
  });
  assert.deepEqual(await labels(cut.reconfigure({ batchSize: 8 })), [[0, 10, 20, 30, 40, 50, 60, 70], [80, 90]]);
});

Deno.test("samples that have to be waited for are read ahead, in order", async () => {
  let reading = 0, most = 0;
  const slow = {
    length: 8,
    async get(i: number) {
      most = Math.max(most, ++reading);
      for (let turns = 8 - i; turns > 0; turns--) await Promise.resolve();
      reading--;
      return [Float32Array.of(i), i] as const;
    },
  };
  const seen: number[] = [];
  for await (const [x, i] of new DataLoader(slow, { batchSize: 2, prefetch: 2 })) {
    assert.deepEqual(x.shape, [2, 1]);
    seen.push(...i.dataSync());
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.ok(most > 2, `more than one batch at a time, but at most ${most} samples were read at once`);
});

Deno.test("an error of a dataset reaches the loop", async () => {
  for (
    const get of [() => Promise.reject(new Error("sample lost")), () => {
      throw new Error("sample lost");
    }]
  ) {
    await assert.rejects(async () => {
      for await (const _ of new DataLoader({ length: 4, get }, { batchSize: 1 }));
    }, /sample lost/);
  }
});

Deno.test("an iterable dataset is read from its start every epoch, and resumed by skipping", async () => {
  const stream = {
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < 7; i++) yield { value: i, name: `n${i}` };
    },
  };
  const loader = new DataLoader(stream, { batchSize: 3 });
  assert.equal(loader.length, Infinity);
  const read = async (from: typeof loader) => {
    const seen: unknown[] = [];
    for await (const { value, name } of from) seen.push([[...value.dataSync()], name]);
    return seen;
  };
  const all = [[[0, 1, 2], ["n0", "n1", "n2"]], [[3, 4, 5], ["n3", "n4", "n5"]], [[6], ["n6"]]];
  assert.deepEqual(await read(loader), all);
  assert.deepEqual(await read(loader), all);
  for await (const _ of loader) break;
  const resumed = new DataLoader(stream, { batchSize: 3 });
  resumed.loadStateDict(loader.stateDict());
  assert.deepEqual(await read(resumed), all.slice(1));
});

Deno.test("collate of one's own decides what a batch is, and may make tensors", async () => {
  const loader = new DataLoader([3, 1, 2], { batchSize: 2, collate: (samples) => tf.tensor1d(samples).mul(2) });
  const seen: number[][] = [];
  for await (const batch of loader) seen.push([...batch.dataSync()]);
  assert.deepEqual(seen, [[6, 2], [4]]);
});

Deno.test("hostBatches gives typed arrays and makes no tensor", async () => {
  const before = tf.memory().numTensors;
  for await (const batch of new DataLoader(tenRows(), { batchSize: 10 }).hostBatches()) {
    const [x, y] = batch as { data: Float32Array; dtype: string }[];
    assert.equal(x.data[19], 9.5);
    assert.equal(y.dtype, "int32");
    assert.equal(tf.memory().numTensors, before);
  }
});

Deno.test("wrong options are errors at once", () => {
  const rows = tenRows();
  for (const batchSize of [0, -1, 1.5, NaN, Infinity, "4" as unknown as number]) {
    assert.throws(() => new DataLoader(rows, { batchSize }), {
      name: "RangeError",
      message: /`batchSize` must be an integer from 1/,
    });
  }
  assert.throws(
    () => new DataLoader(rows, { batchsize: 2 } as object),
    /no option `batchsize`; did you mean `batchSize`/,
  );
  const sampler = new SequentialSampler(rows);
  assert.throws(() => new DataLoader(rows, { sampler, shuffle: true }), /leave `shuffle` out/);
  const batchSampler = new BatchSampler(sampler, { batchSize: 2 });
  assert.throws(() => new DataLoader(rows, { batchSampler, dropLast: true }), /leave `dropLast` out/);
  assert.throws(() => new DataLoader(rows, { batchSampler, batchSize: 2 }), /leave `batchSize` out/);
  assert.throws(() => new DataLoader({ length: 0, get: () => 1 }, { shuffle: true }), /empty/);
  assert.throws(() => new DataLoader(new Set([1]), { shuffle: true }), /own order/);
  assert.throws(
    () => new DataLoader(5 as unknown as number[]),
    /needs a dataset with `length` and `get\(index\)`.*number 5/,
  );
  assert.throws(() => new DataLoader(rows, { prefetch: -1 }), /`prefetch`/);
  assert.throws(() => new DataLoader(rows, { seed: -1 }), /`seed` must be an integer from 0 to 4294967295/);
  assert.throws(() => new DataLoader(rows, { sampler: 3 as unknown as [] }), /`sampler` must be iterable/);
  assert.throws(() => new DataLoader(rows, { collate: 3 as unknown as () => void }), /`collate` must be a function/);
  assert.throws(() => new DataLoader(rows).setEpoch(-1), /epoch must be an integer from 0/);
});

Deno.test("pinMemory is accepted and explained once", () => {
  forgetWarnings();
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  new DataLoader(tenRows(), { pinMemory: true });
  new DataLoader(tenRows(), { pinMemory: true });
  assert.equal(lines.length, 1);
  assert.match(lines[0], /`pinMemory` changes nothing here.*\[pin-memory\]/);
});

Deno.test("an empty dataset in order has no batches", async () => {
  const loader = new DataLoader([] as number[], { batchSize: 4 });
  assert.equal(loader.length, 0);
  for await (const _ of loader) assert.fail("a batch of nothing");
});

Deno.test("loaders zipped by hand free their own batches, in whatever order they go on", async () => {
  const before = tf.memory().numTensors;
  const a = new DataLoader(tenRows(), { batchSize: 5 })[Symbol.asyncIterator]();
  const b = new DataLoader(tenRows(), { batchSize: 5 })[Symbol.asyncIterator]();
  for (;;) {
    const [left, right] = [await a.next(), await b.next()];
    if (left.done || right.done) break;
    assert.deepEqual([...left.value[0].dataSync()], [...right.value[0].dataSync()]);
  }
  await b.next();
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("without a seed of its own a shuffled loader takes that of seed_everything, as a rank's share does", async () => {
  seed_everything(11, { verbose: false });
  try {
    const loader = new DataLoader(tenRows(), { batchSize: 10, shuffle: true });
    const share = new DistributedSampler({ length: 10 }, { numReplicas: 1, rank: 0, seed: 11 });
    assert.deepEqual((await labels(loader)).flat(), [...share].map((i) => 10 * i));
  } finally {
    unseedRandom();
  }
});

Deno.test("a batch sampler of one's own decides the batches, is saved, and cannot be cut again", async () => {
  const own = () => ({
    length: 2,
    *[Symbol.iterator]() {
      yield* [[3, 1], [2]];
    },
  });
  const loader = new DataLoader(tenRows(), { batchSampler: own() });
  assert.equal(loader.length, 2);
  assert.deepEqual(await labels(loader), [[30, 10], [20]]);
  for await (const _ of loader) break;
  const resumed = new DataLoader(tenRows(), { batchSampler: own() });
  resumed.loadStateDict(loader.stateDict());
  assert.deepEqual(await labels(resumed), [[20]]);
  assert.throws(
    () => loader.reconfigure({ batchSize: 3 }),
    /`batchSampler` of its own.*cannot be given another sampler/,
  );
});

Deno.test("an epoch that is set is where the loader's state is", () => {
  const loader = new DataLoader(tenRows(), { batchSize: 5, shuffle: true });
  loader.setEpoch(3);
  assert.deepEqual([loader.stateDict().epoch, loader.stateDict().batch], [3, 0]);
  assert.throws(() => loader.loadStateDict({ epoch: 1, batch: -1 }), /`batch` must be an integer from 0/);
  assert.throws(() => loader.loadStateDict({}), /epoch must be an integer from 0, but got undefined/);
});
