import assert from "node:assert/strict";
import { ConcatDataset } from "../../runtime/data/concat_dataset.ts";
import { DataLoader } from "../../runtime/data/data_loader.ts";
import { randomSplit } from "../../runtime/data/random_split.ts";
import { Subset } from "../../runtime/data/subset.ts";
import { TensorDataset } from "../../runtime/data/tensor_dataset.ts";
import type { HostTensor } from "../../runtime/tensor/host_tensor.ts";

const range = (from: number, length: number) => new TensorDataset(Int32Array.from({ length }, (_, i) => from + i));

async function values(dataset: ConstructorParameters<typeof DataLoader>[0], batchSize: number): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const batch of new DataLoader(dataset, { batchSize }).hostBatches()) {
    batches.push([...(batch as HostTensor[])[0].data as Int32Array]);
  }
  return batches;
}

Deno.test("a subset has the samples of its indices, gathered at once or one by one", async () => {
  const subset = new Subset(range(100, 10), [7, 1, 7]);
  assert.deepEqual(await values(subset, 2), [[107, 101], [107]]);
  assert.deepEqual(await values({ length: 3, get: (i: number) => subset.get(i) }, 3), [[107, 101, 107]]);
  assert.throws(() => new Subset(range(0, 3), [3]), /no sample 3: indices are integers from 0 to 2/);
  assert.throws(() => subset.get(3), RangeError);
});

Deno.test("concatenated datasets follow one another, batches across their borders too", async () => {
  const both = new ConcatDataset([range(0, 3), range(0, 0), range(100, 4)]);
  assert.equal(both.length, 7);
  assert.deepEqual(await values(both, 2), [[0, 1], [2, 100], [101, 102], [103]]);
  assert.throws(() => new ConcatDataset([]), /at least one/);
  assert.throws(() => new ConcatDataset([new Set() as never]), /entry 0/);
  assert.throws(() => both.get(7), RangeError);
});

Deno.test("a random split has each sample in one part, the same for the same seed", () => {
  const parts = randomSplit(range(0, 10), [7, 3], { seed: 4 });
  assert.deepEqual(parts.map((p) => p.length), [7, 3]);
  assert.deepEqual([...parts[0].indices, ...parts[1].indices].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(randomSplit(range(0, 10), [7, 3], { seed: 4 })[0].indices, parts[0].indices);
  assert.notDeepEqual(randomSplit(range(0, 10), [7, 3], { seed: 5 })[0].indices, parts[0].indices);
});

Deno.test("fractions are rounded as PyTorch rounds them: down, then one more for the first parts", () => {
  const sizes = (length: number, fractions: number[]) => randomSplit(range(0, length), fractions).map((p) => p.length);
  assert.deepEqual(sizes(10, [0.9, 0.1]), [9, 1]);
  assert.deepEqual(sizes(11, [0.3, 0.3, 0.4]), [4, 3, 4]);
  assert.deepEqual(sizes(1, [1]), [1]);
  assert.deepEqual(sizes(60_000, [0.9, 0.1]), [54_000, 6_000]);
});

Deno.test("lengths that do not add up are errors", () => {
  assert.throws(() => randomSplit(range(0, 10), [7, 4]), /\[7,4\] adds up to 11/);
  assert.throws(() => randomSplit(range(0, 10), [0.5, 0.6]), RangeError);
  assert.throws(() => randomSplit(range(0, 10), [11, -1]), RangeError);
  assert.throws(() => randomSplit(range(0, 10), [NaN]), RangeError);
  assert.throws(() => randomSplit(range(0, 10), [10], { sed: 1 } as object), /did you mean `seed`/);
});
