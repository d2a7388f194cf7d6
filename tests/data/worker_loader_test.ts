import assert from "node:assert/strict";
import { DataLoader, type DataLoaderOptions } from "../../runtime/data/data_loader.ts";
import { datasetFromModule } from "../../runtime/data/module_dataset.ts";
import { TensorDataset } from "../../runtime/data/tensor_dataset.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import type { HostTensor } from "../../runtime/tensor/host_tensor.ts";
import type { makeStream, Never, Squares, Told, ViewsOfOneBuffer } from "../fixtures/data/worker_datasets.ts";

const module = new URL("../fixtures/data/worker_datasets.ts", import.meta.url);
const squares = (...args: unknown[]) => datasetFromModule<Squares>({ module, export: "Squares", args });

async function read(loader: { hostBatches(): AsyncIterable<unknown> }): Promise<number[][][]> {
  const batches: number[][][] = [];
  for await (const batch of loader.hostBatches()) {
    batches.push((batch as HostTensor[]).map((t) => Array.from(t.data, Number)));
  }
  return batches;
}

Deno.test("workers give the same batches in the same order as the training thread, augmentation included", async () => {
  const dataset = await squares(11);
  const make = (options: DataLoaderOptions) =>
    new DataLoader(dataset, { batchSize: 2, shuffle: true, seed: 4, ...options });
  const plain = make({});
  const expected = [await read(plain), await read(plain)];
  for (const numWorkers of [1, 3]) {
    const loader = make({ numWorkers, prefetch: 1 });
    assert.deepEqual([await read(loader), await read(loader)], expected);
  }
  using kept = make({ numWorkers: 2, persistentWorkers: true });
  assert.deepEqual([await read(kept), await read(kept)], expected);
});

Deno.test("a loader with workers resumes with exactly the remaining batches", async () => {
  const dataset = await squares(11);
  const make = () => new DataLoader(dataset, { batchSize: 2, shuffle: true, seed: 4, numWorkers: 2 });
  const expected = await read(make());
  const left = make();
  for await (const _ of left.hostBatches()) break;
  const resumed = make();
  resumed.loadStateDict(left.stateDict());
  assert.deepEqual(await read(resumed), expected.slice(1));
});

Deno.test("a break with kept workers leaves them fit for the next epoch", async () => {
  const dataset = await squares(11);
  using loader = new DataLoader(dataset, { batchSize: 2, numWorkers: 2, persistentWorkers: true });
  const expected = await read(new DataLoader(dataset, { batchSize: 2 }));
  for await (const _ of loader.hostBatches()) break;
  const again = (await read(loader)).map((batch) => batch[0]);
  assert.deepEqual(again, expected.map((batch) => batch[0]));
});

Deno.test("transform and collate named by module run in the workers", async () => {
  const doubled = new DataLoader(await squares(4), {
    batchSize: 2,
    numWorkers: 1,
    transform: { module, export: "twice" },
  });
  assert.deepEqual((await read(doubled))[1][0], [4, 5, 6, 7]);
  const counted = new DataLoader(await squares(3), {
    batchSize: 2,
    numWorkers: 2,
    collate: { module, export: "count" },
  });
  const counts: number[] = [];
  for await (const batch of counted.hostBatches()) {
    counts.push((batch as { count: HostTensor }).count.data[0] as number);
  }
  assert.deepEqual(counts, [2, 1]);
});

Deno.test("workers share an iterable dataset batch by batch, nothing twice", async () => {
  const stream = await datasetFromModule<ReturnType<typeof makeStream>>({ module, export: "makeStream", args: [11] });
  const loader = new DataLoader(stream, { batchSize: 2, numWorkers: 3 });
  const batches = async () => {
    const seen: number[][] = [];
    for await (const batch of loader.hostBatches()) seen.push([...(batch as HostTensor).data as Float32Array]);
    return seen;
  };
  const expected = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10]];
  assert.deepEqual([await batches(), await batches()], [expected, expected]);
});

Deno.test("workerInit is told the worker's number and seed, and each worker draws its own random numbers", async () => {
  const dataset = await datasetFromModule<Told>({ module, export: "Told" });
  const options = { batchSize: 1, numWorkers: 2, seed: 8, workerInit: { module, export: "init" } };
  const batches = await read(new DataLoader(dataset, options));
  assert.deepEqual(batches.map((b) => b[0][0]), [0, 1, 0, 1]);
  assert.notEqual(batches[0][1][0], batches[1][1][0]);
  assert.notEqual(batches[0][2][0], batches[1][2][0]);
  assert.deepEqual(await read(new DataLoader(dataset, options)), batches);
  assert.notDeepEqual(await read(new DataLoader(dataset, { ...options, seed: 9 })), batches);
});

Deno.test("arrays that are views of a larger buffer arrive whole, and the dataset keeps its own", async () => {
  const dataset = await datasetFromModule<ViewsOfOneBuffer>({ module, export: "ViewsOfOneBuffer" });
  assert.deepEqual(await read(new DataLoader(dataset, { batchSize: 2, numWorkers: 1 })), [[[0, 1], [0, 1]], [[2, 3], [
    2,
    3,
  ]]]);
});

Deno.test("a sample that fails in a worker is an error with its index, its message and the worker's stack", async () => {
  const loader = new DataLoader(await squares(10, 7), { batchSize: 2, numWorkers: 2 });
  let batches = 0;
  await assert.rejects(async () => {
    for await (const _ of loader.hostBatches()) batches++;
  }, (error: Error) => {
    assert.match(error.message, /^sample 7 could not be read in worker 1: RangeError: file 7 is broken$/);
    assert.match((error.cause as Error).stack!, /worker_datasets\.ts/);
    return true;
  });
  assert.equal(batches, 3);
});

Deno.test("a module that is not there, an export that is missing and one that makes no dataset are errors", async () => {
  await assert.rejects(
    datasetFromModule({ module: "./here.ts", export: "x" }),
    /must be a URL.*new URL\("\.\/here\.ts", import\.meta\.url\)/,
  );
  await assert.rejects(datasetFromModule({ module, export: "Squarez" }), /no export `Squarez`; it has: .*Squares/);
  await assert.rejects(datasetFromModule({ module, export: "init" }), /makes no dataset/);
  const loader = new DataLoader(await squares(4), { numWorkers: 1, collate: { module, export: "nothing" } });
  await assert.rejects(read(loader), /no export `nothing`/);
});

Deno.test("a batch that never comes is an error after timeoutMs", async () => {
  const dataset = await datasetFromModule<Never>({ module, export: "Never" });
  const loader = new DataLoader(dataset, { numWorkers: 1, timeoutMs: 20 });
  await assert.rejects(read(loader), /worker 0 of the DataLoader gave no batch 0 in 20 ms/);
});

Deno.test("what cannot be sent to workers is an error that says what to do", async () => {
  const plain = { length: 3, get: (i: number) => i };
  assert.throws(() => new DataLoader(plain, { numWorkers: 2 }), /await datasetFromModule\(\{ module: new URL/);
  const dataset = await squares(3);
  assert.throws(
    () => new DataLoader(dataset, { numWorkers: 2, transform: (x) => x }),
    /`transform` runs in the workers/,
  );
  assert.throws(() => new DataLoader(dataset, { numWorkers: 2, collate: (x) => x }), /`collate` runs in the workers/);
  assert.throws(
    () => new DataLoader(dataset, { numWorkers: 2, workerInit: (() => {}) as never }),
    /`workerInit` runs in another thread/,
  );
  assert.throws(() => new DataLoader(dataset, { transform: { module, export: "twice" } }), /is for workers/);
  assert.throws(() => new DataLoader(dataset, { persistentWorkers: true }), /`numWorkers` to 1 or more/);
  assert.throws(() => new DataLoader(dataset, { numWorkers: -1 }), /`numWorkers`/);
});

Deno.test("a dataset in memory starts no workers and says so once", async () => {
  forgetWarnings();
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  const loader = new DataLoader(new TensorDataset(new Float32Array(3)), {
    batchSize: 3,
    numWorkers: 4,
    persistentWorkers: true,
  });
  assert.deepEqual(await read(loader), [[[0, 0, 0]]]);
  assert.match(
    lines.join("\n"),
    /^warning: numWorkers: 4 starts no workers: the dataset lies in memory.*\[workers-unused\]$/,
  );
});
