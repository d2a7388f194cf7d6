import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  hierarchicalWork,
  inPlaceWork,
  isInPlace,
  type Reduction,
  sharedWork,
  type Work,
} from "../../bench/cost_model.ts";
import { FrameType } from "../../runtime/comm/frame.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { ProcessMemory } from "../comm/process_memory.ts";

/** Smaller copies are heads of frames and numbers that ranks agree about. */
const LEAST_COPY = 65;

interface Seen extends Work {
  readonly isShared: boolean;
}

/**
 * Lets ranks that share memory within each host reduce an array, and counts: what the busiest rank sends to others of its host, and what a rank copies and
 * lets the kernels reduce, on average. What ranks of different hosts copy is what they receive, and reduce no kernel.
 */
async function count(hosts: number[][], bytes: number, { shared = false } = {}): Promise<Seen> {
  const ranks = hosts.flat().length, hostOf = (rank: number) => hosts.findIndex((host) => host.includes(rank));
  const memories = hosts.map(() => new ProcessMemory()), frames: number[] = Array(ranks).fill(0);
  let copied = 0, reduced = 0;
  using _kernels = replace(WebAssembly, "Instance", countingInstance((bytes) => reduced += bytes));
  const groups = memoryTransports(ranks).map((transport, rank) => {
    const send = transport.send.bind(transport);
    transport.send = (to, head, payload, inPlace) => {
      // Not those in which ranks that wait for long ask each other where they are.
      if (hostOf(to) === hostOf(rank) && head.type === FrameType.data) frames[rank]++;
      send(to, head, payload, inPlace);
    };
    return new TransportGroup(transport, {
      ...hosts.length > 1 && { hosts },
      sharedMemory: memories[hostOf(rank)],
    });
  });
  const arrays = await Promise.all(groups.map(async (group) => {
    const array = shared ? await group.sharedArray(Float32Array, bytes / 4) : undefined;
    const data = array?.data ?? new Float32Array(bytes / 4);
    // The first takes the room.
    await group.allReduce(data.fill(0));
    return { data: data.fill(group.rank + 1), isShared: array?.isShared ?? false };
  }));
  frames.fill(0);
  copied = reduced = 0;
  const set = Uint8Array.prototype.set;
  {
    using _copies = replace(
      Uint8Array.prototype,
      "set",
      function (this: Uint8Array, source: ArrayLike<number>, at?: number) {
        if (source.length >= LEAST_COPY) copied += source.length;
        set.call(this, source, at);
      },
    );
    await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
  }
  const hops = Math.max(...frames), isShared = arrays[0].isShared;
  for (const { data } of arrays) ok(data.every((value) => value === ranks * (ranks + 1) / 2));
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
  return { hops, sentBytes: copied / ranks, reducedBytes: reduced / ranks, isShared };
}

function replace<T, K extends keyof T>(object: T, name: K, value: T[K]): Disposable {
  const before = object[name];
  object[name] = value;
  return { [Symbol.dispose]: () => void (object[name] = before) };
}

/** Kernels that tell how many bytes they read: as many as they reduce, of every rank. */
function countingInstance(note: (bytes: number) => void): typeof WebAssembly.Instance {
  const { Instance } = WebAssembly;
  return function (module: WebAssembly.Module, imports: WebAssembly.Imports) {
    const { exports } = new Instance(module, imports);
    type Kernel = (target: number, source: number, stride: number, bytes: number) => void;
    const counting = Object.entries(exports as Record<string, Kernel>).map(([name, kernel]): [string, Kernel] => [
      name,
      (target, source, stride, bytes) => {
        note(bytes);
        kernel(target, source, stride, bytes);
      },
    ]);
    return { exports: Object.fromEntries(counting) };
  } as unknown as typeof WebAssembly.Instance;
}

const oneHost = (ranks: number) => [Array.from({ length: ranks }, (_, rank) => rank)];

/** @param ranks a kernel reads as many bytes of as many ranks */
function matches(form: Work, seen: Work, { ranks, what }: { ranks: number; what: string }): void {
  deepStrictEqual(
    { hops: form.hops, sentBytes: Math.round(form.sentBytes), reducedBytes: Math.round(form.reducedBytes) },
    { hops: seen.hops, sentBytes: seen.sentBytes, reducedBytes: seen.reducedBytes * ranks },
    what,
  );
}

Deno.test("in shared memory an ordinary array takes the turns, copies and sums of the closed form, small or in chunks", async () => {
  for (const ranks of [2, 3, 4]) {
    for (const bytes of [12 << 14, 12 << 20]) {
      const what = `${ranks} ranks, ${bytes} bytes`, seen = await count(oneHost(ranks), bytes);
      matches(sharedWork({ ranks, bytes }), seen, { ranks, what });
    }
  }
});

Deno.test("an array that lies in shared memory takes two turns and no copy, as the closed form says, and the form knows from which size on", async () => {
  for (const ranks of [2, 3, 4, 8]) {
    for (const bytes of [1 << 17, (1 << 18) + 4, 1 << 19, (1 << 19) + 4096, 12 << 18]) {
      const what = `${ranks} ranks, ${bytes} bytes`, reduction: Reduction = { ranks, bytes };
      const seen = await count(oneHost(ranks), bytes, { shared: true });
      strictEqual(seen.isShared, isInPlace(reduction), what);
      if (seen.isShared && bytes % 256 === 0) matches(inPlaceWork(reduction), seen, { ranks, what });
    }
  }
});

Deno.test("on several hosts both take on each host what the closed forms say", async () => {
  for (const hosts of [[[0, 1], [2, 3]], [[0, 1, 2], [3, 4, 5]]]) {
    const ranksPerHost = hosts[0].length, bytes = 12 << 18;
    for (const inPlace of [false, true]) {
      const work = hierarchicalWork({ hosts: 2, ranksPerHost, bytes, inPlace });
      const seen = await count(hosts, bytes, { shared: inPlace });
      // What came from the other host is copied once: the half of the segment that was reduced there.
      const received = bytes / ranksPerHost / 2;
      matches(
        {
          hops: work.shared.hops + work.inPlace.hops,
          sentBytes: work.shared.sentBytes + received,
          reducedBytes: work.shared.reducedBytes + work.inPlace.reducedBytes,
        },
        seen,
        { ranks: ranksPerHost, what: `${ranksPerHost} ranks a host, ${inPlace ? "in place" : "ordinary"}` },
      );
    }
  }
});
