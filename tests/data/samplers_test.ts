import assert from "node:assert/strict";
import {
  BatchSampler,
  DistributedSampler,
  DistributedSamplerWrapper,
  RandomSampler,
  SequentialSampler,
  UnrepeatedDistributedSampler,
} from "../../runtime/data/samplers.ts";
import { drawIndices } from "../../runtime/data/samplers/sampler.ts";
import recorded from "../fixtures/data/distributed_sampler.json" with { type: "json" };

const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
const upTo = (length: number) => Array.from({ length }, (_, i) => i);

Deno.test("shares of the ranks are PyTorch's and Lightning's: padded, dropped and unrepeated", () => {
  assert.ok(recorded.length > 80);
  for (const { length, replicas, kind, ranks } of recorded) {
    for (const [rank, expected] of ranks.entries()) {
      const options = { numReplicas: replicas, rank, shuffle: false };
      const sampler = kind === "unrepeated"
        ? new UnrepeatedDistributedSampler({ length }, options)
        : new DistributedSampler({ length }, { ...options, dropLast: kind === "drop" });
      assert.deepEqual([...sampler], expected, `${kind} ${length} on ${replicas}, rank ${rank}`);
      assert.equal(sampler.length, expected.length);
    }
  }
});

Deno.test("103 samples unrepeated on 4 ranks are 26, 26, 26 and 25; one sample on three ranks is 1, 0 and 0", () => {
  const share = (length: number, numReplicas: number) =>
    upTo(numReplicas).map((rank) => [...new UnrepeatedDistributedSampler({ length }, { numReplicas, rank })]);
  assert.deepEqual(share(103, 4).map((s) => s.length), [26, 26, 26, 25]);
  assert.deepEqual(sorted(share(103, 4).flat()), upTo(103));
  assert.deepEqual(share(1, 3), [[0], [], []]);
});

Deno.test("shuffled shares of all ranks make up the dataset, differ by epoch, and together are the order of one rank", () => {
  const read = (numReplicas: number, rank: number, epoch: number) => {
    const sampler = new DistributedSampler({ length: 12 }, { numReplicas, rank, seed: 6 });
    sampler.setEpoch(epoch);
    return [...sampler];
  };
  assert.deepEqual(sorted([0, 1, 2].flatMap((rank) => read(3, rank, 0))), upTo(12));
  assert.notDeepEqual(read(3, 0, 0), read(3, 0, 1));
  const [whole, a, b] = [read(1, 0, 4), read(2, 0, 4), read(2, 1, 4)];
  assert.deepEqual(upTo(12).map((i) => (i % 2 ? b : a)[i >> 1]), whole);
  const random = new RandomSampler({ length: 12 }, { seed: 6 });
  random.setEpoch(4);
  assert.deepEqual([...random], whole);
});

Deno.test("a random sampler with replacement or more samples than there are draws what is asked for", () => {
  const many = [...new RandomSampler({ length: 3 }, { numSamples: 8, seed: 1 })];
  assert.equal(many.length, 8);
  assert.deepEqual([sorted(many.slice(0, 3)), sorted(many.slice(3, 6))], [upTo(3), upTo(3)]);
  const drawn = [...new RandomSampler({ length: 4 }, { numSamples: 400, replacement: true, seed: 1 })];
  for (const i of upTo(4)) assert.ok(drawn.filter((k) => k === i).length > 60);
});

Deno.test("every order of three is as likely", () => {
  const counts = new Map<string, number>();
  const sampler = new RandomSampler({ length: 3 }, { seed: 8 });
  for (let epoch = 0; epoch < 6000; epoch++) {
    sampler.setEpoch(epoch);
    const key = [...sampler].join("");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  // Five standard deviations of a count that is binomial with p = 1/6.
  for (const [order, count] of counts) {
    assert.ok(Math.abs(count - 1000) < 5 * Math.sqrt(6000 * 5 / 36), `${order}: ${count}`);
  }
});

Deno.test("a sampler of one's own is dealt out among ranks, padded or unrepeated", () => {
  const mine = {
    length: 5,
    *[Symbol.iterator]() {
      yield* [9, 8, 7, 6, 5];
    },
  };
  const share = (
    rank: number,
    unrepeated: boolean,
  ) => [...new DistributedSamplerWrapper(mine, { numReplicas: 2, rank, unrepeated })];
  assert.deepEqual([share(0, false), share(1, false)], [[9, 7, 5], [8, 6, 9]]);
  assert.deepEqual([share(0, true), share(1, true)], [[9, 7, 5], [8, 6]]);
  assert.throws(
    () => [
      ...new DistributedSamplerWrapper({
        length: 6,
        [Symbol.iterator]: () => [1][Symbol.iterator](),
      }, { numReplicas: 2, rank: 0 }),
    ],
    /gave 1 indices, but its length is 6/,
  );
});

Deno.test("a batch sampler cuts indices into batches", () => {
  const batches = (dropLast: boolean) =>
    [...new BatchSampler(new SequentialSampler({ length: 7 }), { batchSize: 3, dropLast })].map((b) => [...b]);
  assert.deepEqual(batches(false), [[0, 1, 2], [3, 4, 5], [6]]);
  assert.deepEqual(batches(true), [[0, 1, 2], [3, 4, 5]]);
  assert.equal(new BatchSampler([1, 2, 3, 4, 5], { batchSize: 2 }).length, 3);
});

Deno.test("the seed is a sampler's state", () => {
  const a = new RandomSampler({ length: 20 }, { seed: 1 }), b = new RandomSampler({ length: 20 }, { seed: 2 });
  b.loadStateDict(a.stateDict());
  assert.deepEqual([...b], [...a]);
});

Deno.test("wrong options of samplers are errors", () => {
  const source = { length: 4 };
  assert.throws(
    () => new DistributedSampler(source, { numReplicas: 2, rank: 2 }),
    /DistributedSampler: `rank` must be an integer from 0 to 1, but got 2/,
  );
  assert.throws(() => new DistributedSampler(source, { numReplicas: 0, rank: 0 }), /`numReplicas`/);
  assert.throws(
    () => new UnrepeatedDistributedSampler(source, { numReplicas: 1, rank: 0, dropLast: true } as never),
    /`dropLast` belongs to/,
  );
  assert.throws(() => new RandomSampler(source, { seed: 2 ** 32 }), /`seed`/);
  assert.throws(() => new RandomSampler(source, { numSamples: -1 }), /`numSamples`/);
  assert.throws(() => new RandomSampler({ length: 0 }, { numSamples: 1 }), /nothing to draw from/);
  assert.throws(() => new BatchSampler(new SequentialSampler(source), { batchSize: 0 }), /`batchSize`/);
  assert.throws(() => new RandomSampler(source, { replacment: true } as object), /did you mean `replacement`/);
  assert.throws(() => new SequentialSampler(source).setEpoch(0.5), /epoch/);
  assert.throws(() =>
    drawIndices({
      length: 1,
      *[Symbol.iterator]() {
        yield* [1, 2];
      },
    }), /more indices than its length of 1/);
  assert.throws(() => drawIndices([-1]), /gave -1/);
});
