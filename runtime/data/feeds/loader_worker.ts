/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/** What runs in a loader's worker: reads, transforms and stacks the batches that it is asked for. Loads no tensor library. */
import { isHostTensor } from "../../tensor/host_tensor.ts";
import { seedRandom } from "../../seed/random_state.ts";
import { collate as defaultCollate } from "../collate.ts";
import { type Dataset, isMapStyle, type IterableDataset } from "../dataset.ts";
import { importReference } from "../module_dataset.ts";
import type { Transform } from "../transforms/transform.ts";
import { readBatch, type ReadOptions, sampleContext, sampleOfError } from "./read_batch.ts";
import { StreamReader } from "./stream_reader.ts";
import type { ReadRequest, WorkerAnswer, WorkerSetup } from "./worker_messages.ts";

interface Ready {
  dataset: Dataset<unknown> | IterableDataset<unknown>;
  transform: ReadOptions["transform"];
  collate: (samples: unknown[]) => unknown;
  setup: WorkerSetup;
}

let ready: Promise<Ready> | undefined;
let stream: { epoch: number; next: number; reader: StreamReader } | undefined;
let last: Promise<void> = Promise.resolve();

async function prepare(setup: WorkerSetup): Promise<Ready> {
  seedRandom(setup.workerSeed);
  if (setup.workerInit) {
    const init = await importReference(setup.workerInit, { call: false });
    await (init as (worker: number, seed: number) => unknown)(setup.worker, setup.workerSeed);
  }
  return {
    setup,
    dataset: await importReference(setup.dataset) as Dataset<unknown>,
    transform: setup.transform && await importReference(setup.transform, { call: false }) as Transform,
    collate: setup.collate
      ? await importReference(setup.collate, { call: false }) as Ready["collate"]
      : (samples) => defaultCollate(samples),
  };
}

async function read(request: ReadRequest): Promise<unknown> {
  const { dataset, transform, collate, setup } = await ready!;
  const { epoch, k, indices } = request;
  const options = { transform, context: sampleContext(setup.seed, epoch) };
  if (isMapStyle(dataset)) {
    const item = await readBatch(dataset, indices!, options);
    return "batch" in item ? item.batch : collate(item.samples);
  }
  if (stream?.epoch !== epoch || k < stream.next) {
    await stream?.reader.close();
    const { batchSize, dropLast } = setup;
    stream = { epoch, next: 0, reader: new StreamReader(dataset, { ...options, batchSize, dropLast }) };
  }
  stream.next = k + 1;
  const samples = await stream.reader.read(k);
  return samples && collate(samples);
}

/** The buffers of a batch, to be moved instead of copied; arrays that are part of a larger buffer are cut out first. */
function movable(value: unknown, buffers: Set<ArrayBuffer>): unknown {
  if (isHostTensor(value)) {
    const { data } = value;
    const whole = data.byteLength === data.buffer.byteLength && data.buffer instanceof ArrayBuffer &&
      !buffers.has(data.buffer);
    const own = whole ? data : data.slice();
    buffers.add(own.buffer as ArrayBuffer);
    return { ...value, data: own };
  }
  if (Array.isArray(value)) return value.map((entry) => movable(entry, buffers));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, movable(entry, buffers)]));
  }
  return value;
}

async function answer(request: ReadRequest): Promise<void> {
  const { id } = request;
  try {
    const buffers = new Set<ArrayBuffer>();
    const batch = movable(await read(request), buffers);
    self.postMessage({ id, batch } satisfies WorkerAnswer, [...buffers]);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { name, message, stack } = error;
    const sample = typeof thrown === "object" && thrown !== null ? sampleOfError.get(thrown) : undefined;
    self.postMessage({ id, error: { name, message, stack, sample } } satisfies WorkerAnswer);
  }
}

self.onmessage = ({ data }: MessageEvent<WorkerSetup | ReadRequest>) => {
  if (data.kind === "setup") {
    ready = prepare(data);
    ready.catch(() => {}); // told in the answer to the first read
  } else last = last.then(() => answer(data));
};
