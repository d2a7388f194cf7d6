import assert from "node:assert/strict";
import { TensorDataset } from "../../runtime/data/tensor_dataset.ts";
import { DataLoader } from "../../runtime/data/data_loader.ts";
import { hostTensor } from "../../runtime/data/host_values.ts";
import { Random } from "../../runtime/seed/random.ts";
import type { HostTensor } from "../../runtime/tensor/host_tensor.ts";
import {
  Compose,
  Flatten,
  Lambda,
  Normalize,
  RandomCrop,
  RandomHorizontalFlip,
  ToTensor,
  type Transform,
} from "../../runtime/data/transforms.ts";

/** 30 images of 4 by 3 with `channels` bytes of noise. */
function images(channels: number): HostTensor {
  const random = new Random(1);
  return hostTensor(Uint8Array.from({ length: 30 * 12 * channels }, () => random.integer(256)), [30, 4, 3, channels]);
}

async function onlyBatch(dataset: ConstructorParameters<typeof DataLoader>[0], options = {}): Promise<HostTensor[]> {
  for await (const batch of new DataLoader(dataset, { batchSize: 30, seed: 3, ...options }).hostBatches()) {
    return batch as HostTensor[];
  }
  throw new Error("no batch");
}

const chains: [string, number, Transform][] = [
  ["ToTensor", 1, new ToTensor()],
  ["Flatten alone", 1, new Flatten()],
  ["ToTensor and Normalize of one channel", 1, new Compose([new ToTensor(), new Normalize(0.1307, 0.3081)])],
  [
    "Normalize of three channels, then Flatten",
    3,
    new Compose([new ToTensor(), new Normalize([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]), new Flatten()]),
  ],
  [
    "nested Compose",
    3,
    new Compose([new Compose([new ToTensor(), new Normalize([0.1, 0.2, 0.3], [1, 2, 3])]), new Normalize(0.5, 0.5)]),
  ],
  [
    "a Lambda between",
    1,
    new Compose([
      new ToTensor(),
      new Lambda((x) => ({ ...x, data: (x.data as Float32Array).map((v) => v + 1) })),
      new Flatten(),
    ]),
  ],
  ["augmentation", 3, new Compose([new RandomHorizontalFlip(), new RandomCrop(3, { padding: 1 }), new ToTensor()])],
];
for (const [name, channels, transform] of chains) {
  Deno.test(`a batch gathered at once equals samples read one by one: ${name}`, async () => {
    const fast = new TensorDataset(images(channels), new Int32Array(30)).withTransform(transform);
    const slow = { length: 30, get: (i: number, context?: Parameters<typeof fast.get>[1]) => fast.get(i, context) };
    const order = { sampler: [...new Random(5).permutation(30)] };
    assert.deepEqual(await onlyBatch(fast, order), await onlyBatch(slow, order));
    // The same when the loader is given the transform.
    assert.deepEqual(
      await onlyBatch(new TensorDataset(images(channels), new Int32Array(30)), { ...order, transform }),
      await onlyBatch(slow, order),
    );
  });
}

Deno.test("ToTensor and Normalize give the numbers of the formula", () => {
  const image = hostTensor(Uint8Array.of(0, 128, 255, 51), [2, 1, 2]);
  const random = new Random(0);
  const scaled = new ToTensor().apply(image);
  assert.deepEqual([...scaled.data], [0, Math.fround(128 / 255), 1, Math.fround(0.2)]);
  const normalized = new Normalize([0.5, 0.25], [0.5, 0.75]).apply(scaled);
  assert.deepEqual([...normalized.data], [
    -1,
    Math.fround((Math.fround(128 / 255) - 0.25) / 0.75),
    1,
    Math.fround((Math.fround(0.2) - 0.25) / 0.75),
  ]);
  assert.deepEqual(new Compose([]).apply(image, random), image);
  assert.deepEqual(new ToTensor().apply(hostTensor(Int32Array.of(300))).data, Float32Array.of(300));
});

Deno.test("flip mirrors each row, crop with padding moves the image over zeros", () => {
  const image = hostTensor(Uint8Array.of(1, 2, 3, 4), [2, 2, 1]);
  assert.deepEqual([...new RandomHorizontalFlip(1).apply(image, new Random(1)).data], [2, 1, 4, 3]);
  assert.equal(new RandomHorizontalFlip(0).apply(image, new Random(1)), image);
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const crop = new RandomCrop(2, { padding: 1 }).apply(image, new Random(seed));
    assert.deepEqual(crop.shape, [2, 2, 1]);
    seen.add([...crop.data].join());
  }
  assert.deepEqual(
    [...seen].sort(),
    ["0,0,0,1", "0,0,1,2", "0,0,2,0", "0,1,0,3", "0,2,0,0", "0,3,0,0", "1,2,3,4", "2,0,4,0", "3,4,0,0", "4,0,0,0"]
      .sort().filter((s) => seen.has(s)),
  );
  assert.equal(seen.size, 9, [...seen].join(" | "));
});

Deno.test("augmentation is the same for the same seed and epoch whatever the batch size, and another the next epoch", async () => {
  const dataset = new TensorDataset(images(1)).withTransform(new RandomCrop(4, { padding: 2 }));
  const read = async (batchSize: number, epoch: number) => {
    const loader = new DataLoader(dataset, { batchSize, seed: 9 });
    loader.setEpoch(epoch);
    const values: number[] = [];
    for await (const batch of loader.hostBatches()) values.push(...(batch as HostTensor[])[0].data as Uint8Array);
    return values;
  };
  assert.deepEqual(await read(7, 0), await read(30, 0));
  assert.notDeepEqual(await read(30, 1), await read(30, 0));
});

Deno.test("a subclass with a get() of its own is asked sample by sample", async () => {
  class Negated extends TensorDataset {
    override get(i: number): HostTensor[] {
      return [hostTensor(Int32Array.of(-i), [])];
    }
  }
  const [x] = await onlyBatch(new Negated(new Int32Array(3)));
  assert.deepEqual([...x.data], [-0, -1, -2].map((v) => v | 0));
});

Deno.test("tensors that do not fit together are errors", () => {
  assert.throws(
    () => new TensorDataset(new Float32Array(3), new Int32Array(4)),
    /tensor 0 has 3 rows and tensor 1 has 4/,
  );
  assert.throws(() => new TensorDataset(), /at least one/);
  assert.throws(
    () => new TensorDataset({ dtype: "float32", shape: [2, 3], data: new Float32Array(5) }),
    /holds 6 values, but the array has 5/,
  );
  assert.throws(() => new TensorDataset(hostTensor(new Float32Array(1), [])), /is a scalar/);
  assert.throws(
    () => new TensorDataset([1, 2] as unknown as Float32Array),
    /must be a HostTensor .* but got an array of 2/,
  );
  const dataset = new TensorDataset(new Float32Array(3));
  for (const index of [-1, 3, 0.5, NaN]) assert.throws(() => dataset.get(index), { name: "RangeError" });
  assert.throws(() => dataset.withTransform((() => 1) as unknown as Transform), /new Lambda/);
  assert.throws(() => dataset.withTransform(new Flatten(), 1), RangeError);
});

Deno.test("transforms reject what they cannot do", async () => {
  assert.throws(() => new Normalize([1, 2], [1]), /2 and 1/);
  assert.throws(() => new Normalize(0, 0), /above 0/);
  assert.throws(() => new Normalize(NaN, 1), /finite/);
  assert.throws(() => new Normalize(0, 1).apply(hostTensor(new Uint8Array(1))), /put ToTensor before it/);
  assert.throws(() => new Normalize([0, 0], [1, 1]).apply(hostTensor(new Float32Array(3), [1, 3])), /has 3 channels/);
  assert.throws(() => new Compose([(() => 1) as unknown as Transform]), /new Lambda/);
  assert.throws(() => new Lambda(5 as unknown as () => HostTensor), /needs a function/);
  assert.throws(() => new RandomHorizontalFlip(2), RangeError);
  assert.throws(() => new RandomCrop(0), RangeError);
  assert.throws(
    () => new RandomCrop(9).apply(hostTensor(new Uint8Array(4), [2, 2, 1]), new Random(0)),
    /RandomCrop of \[9,9\]/,
  );
  const uneven = new Lambda((x) => ({
    ...x,
    shape: [x.data[0] as number],
    data: new Float32Array(x.data[0] as number),
  }));
  await assert.rejects(onlyBatch(new TensorDataset(Uint8Array.of(1, 2)).withTransform(uneven)), /one shape and dtype/);
});
