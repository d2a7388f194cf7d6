import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import {
  fitPrice,
  hierarchicalWork,
  inBuckets,
  type Measurement,
  overNetwork,
  type Price,
  ringWork,
  secondsOf,
  sharedWork,
  treeWork,
  type Work,
} from "../../bench/cost_model.ts";
import { allReduceSmall, ring } from "../../runtime/comm/algorithms.ts";
import { hierarchicalAllReduce, TrafficMeter } from "../../runtime/comm/hierarchical_reduce.ts";
import { hostLayout } from "../../runtime/comm/host_layout.ts";
import type { Peers } from "../../runtime/comm/peers.ts";

const LARGE = 12 * 64 * 1024, IN_PLACE = 12 * 256 * 1024;

/** Ranks that count. A message has the number of those before it that had to be waited for, and so has each rank. */
class Counting {
  readonly bytes: number[];
  readonly hops: number[];
  readonly #messages = new Map<string, PromiseWithResolvers<{ payload: Uint8Array; hop: number }>>();

  /** @param counts which messages; the others are free */
  constructor(readonly ranks: number, readonly counts: (from: number, to: number) => boolean = () => true) {
    this.bytes = Array(ranks).fill(0);
    this.hops = Array(ranks).fill(0);
  }

  /** Lets all ranks reduce as much, and returns what the busiest did. Checks the sum. */
  async run(bytes: number, reduce: (peers: Peers, data: Float32Array) => Promise<void>) {
    await Promise.all(Array.from({ length: this.ranks }, async (_, rank) => {
      const data = new Float32Array(bytes / 4).fill(rank + 1);
      await reduce(this.#peers(rank), data);
      ok(data.every((value) => value === this.ranks * (this.ranks + 1) / 2));
    }));
    return { hops: Math.max(...this.hops), sentBytes: Math.max(...this.bytes) };
  }

  #peers(rank: number): Peers {
    return {
      rank,
      worldSize: this.ranks,
      rankAt: (place) => place,
      send: (to, step, payload = new Uint8Array(0)) => {
        const counts = this.counts(rank, to);
        if (counts) this.bytes[rank] += payload.byteLength;
        this.#at(rank, to, step).resolve({ payload: payload.slice(), hop: this.hops[rank] + (counts ? 1 : 0) });
      },
      receive: async (from, step) => {
        const { payload, hop } = await this.#at(from, rank, step).promise;
        this.hops[rank] = Math.max(this.hops[rank], hop);
        return payload;
      },
      pause: () => Promise.resolve(),
    };
  }

  #at(from: number, to: number, step: number) {
    const key = `${from} ${to} ${step}`;
    let message = this.#messages.get(key);
    if (!message) this.#messages.set(key, message = Promise.withResolvers());
    return message;
  }
}

/** The form is what was counted; where ranks hand in and get back, of the messages that wait it is the most there can be. */
function matches(form: Work, seen: { hops: number; sentBytes: number }, isExact: boolean, what: string): void {
  strictEqual(Math.round(form.sentBytes), seen.sentBytes, `bytes of ${what}`);
  if (isExact) strictEqual(form.hops, seen.hops, `hops of ${what}`);
  else ok(seen.hops <= form.hops && seen.hops >= form.hops - 2, `hops of ${what}: ${seen.hops}, at most ${form.hops}`);
}

const isPowerOfTwo = (value: number) => Number.isInteger(Math.log2(value));

Deno.test("the ring sends as many bytes in as many messages that wait for each other as the closed form says", async () => {
  for (const bytes of [LARGE, IN_PLACE]) {
    for (const ranks of [2, 3, 4, 6, 12]) {
      const seen = await new Counting(ranks).run(
        bytes,
        (peers, data) => ring(peers, data, { op: "sum", gather: true, chunkBytes: 32 * 1024 }),
      );
      matches(ringWork({ ranks, bytes }), seen, true, `${ranks} ranks, ${bytes} bytes`);
    }
  }
});

Deno.test("recursive doubling costs what the closed form says, with ranks beyond a power of two too", async () => {
  for (const ranks of [1, 2, 3, 4, 5, 7, 8, 16]) {
    const seen = await new Counting(ranks).run(4096, (peers, data) => allReduceSmall(peers, data, "sum"));
    matches(treeWork({ ranks, bytes: 4096 }), seen, isPowerOfTwo(ranks), `${ranks} ranks`);
  }
});

Deno.test("a hierarchical all-reduce sends between hosts what the closed form says, and on them", async () => {
  for (const [hosts, ranksPerHost] of [[2, 1], [2, 2], [2, 3], [3, 2], [4, 3]]) {
    const ranks = hosts * ranksPerHost;
    const all = Array.from(
      { length: hosts },
      (_, host) => Array.from({ length: ranksPerHost }, (_, i) => host * ranksPerHost + i),
    );
    const hostOf = (rank: number) => Math.floor(rank / ranksPerHost);
    const run = (bytes: number, counts: (from: number, to: number) => boolean) =>
      new Counting(ranks, counts).run(bytes, (peers, data) =>
        hierarchicalAllReduce(peers, data, {
          op: "sum",
          layout: hostLayout(all, { rank: peers.rank, worldSize: ranks })!,
          arena: undefined,
          smallBytes: 64 * 1024,
          chunkBytes: 256 * 1024,
          traffic: new TrafficMeter(() => 0),
        }));
    for (const bytes of [4096, LARGE, IN_PLACE]) {
      const far = await run(bytes, (from, to) => hostOf(from) !== hostOf(to));
      matches(
        hierarchicalWork({ hosts, ranksPerHost, bytes }).far,
        far,
        bytes > 4096 || isPowerOfTwo(hosts),
        `${hosts}×${ranksPerHost}, ${bytes} bytes`,
      );
    }
    const near = await run(4096, (from, to) => hostOf(from) === hostOf(to));
    matches(
      hierarchicalWork({ hosts, ranksPerHost, bytes: 4096 }).near,
      near,
      isPowerOfTwo(ranksPerHost),
      `${hosts}×${ranksPerHost}`,
    );
  }
});

Deno.test("shared memory takes one turn for a small array and one for each chunk of a large one", () => {
  deepStrictEqual(sharedWork({ ranks: 4, bytes: 1 << 20 }), {
    hops: 3,
    sentBytes: 2 << 20,
    reducedBytes: 4 << 20,
  });
  deepStrictEqual(sharedWork({ ranks: 4, bytes: 8 << 20 }), {
    hops: 10 * 3,
    sentBytes: 16 << 20,
    reducedBytes: 8 << 20,
  });
  strictEqual(sharedWork({ ranks: 4, bytes: 8 << 20 }, "scatter").hops, 8 * 3);
  strictEqual(sharedWork({ ranks: 1, bytes: 8 << 20 }).sentBytes, 0);
});

const TRUE: Price = { hop: 80e-6, byte: 0.9e-9, reducedByte: 0.2e-9 };
const samples = (price: Price, noise: (i: number) => number = () => 1): Measurement[] =>
  [2, 3, 4].flatMap((ranks) =>
    [4, 4096, 1 << 16, 1 << 20, 1 << 24].flatMap((bytes) =>
      [ringWork, treeWork].map((form) => ({ work: form({ ranks, bytes }), crowding: ranks / 2 }))
    )
  ).map(({ work, crowding }, i) => ({ work, crowding, seconds: secondsOf(work, price, crowding) * noise(i) }));

const near = (got: number, wanted: number, part: number) => ok(Math.abs(got - wanted) <= part * wanted, `${got}`);

Deno.test("the fit finds the prices that times were made of, and comes near them where the times are off by a tenth", () => {
  const price = fitPrice(samples(TRUE));
  near(price.hop, TRUE.hop, 1e-6);
  near(price.byte, TRUE.byte, 1e-6);
  near(price.reducedByte, TRUE.reducedByte, 1e-6);
  const noisy = fitPrice(samples(TRUE, (i) => 1 + 0.1 * Math.sin(7 * i)));
  near(noisy.hop, TRUE.hop, 0.1);
  near(noisy.byte + noisy.reducedByte / 2, TRUE.byte + TRUE.reducedByte / 2, 0.1);
});

Deno.test("no price is negative: what does not explain the times costs nothing", () => {
  const free = fitPrice(samples({ ...TRUE, reducedByte: 0 }));
  strictEqual(free.reducedByte, 0);
  near(free.byte, TRUE.byte, 1e-6);
  // Times that fall with the bytes that are reduced would want a negative price.
  const odd = fitPrice(
    samples(TRUE).map((one) => ({
      ...one,
      seconds: Math.max(1e-6, one.seconds - 0.5e-9 * one.work.reducedBytes * one.crowding!),
    })),
  );
  ok(odd.hop >= 0 && odd.byte >= 0 && odd.reducedByte >= 0);
});

Deno.test("a fit to nothing, or to a time that is not positive, is refused", () => {
  throws(() => fitPrice([]), { name: "RangeError", message: /nothing was measured/ });
  const work = treeWork({ ranks: 2, bytes: 4 });
  throws(() => fitPrice([{ work, seconds: 0 }]), { name: "RangeError", message: /is 0 s/ });
  throws(() => fitPrice([{ work, seconds: NaN }]), { name: "RangeError", message: /is NaN s/ });
});

Deno.test("over a network the slower of wire and processor counts, and the wire is shared by who sends", () => {
  const network = { name: "", latency: 20e-6, bytesPerSecond: 1.25e9 };
  near(overNetwork(TRUE, network).hop, 100e-6, 1e-9);
  near(overNetwork(TRUE, network).byte, 0.9e-9, 1e-9);
  near(overNetwork(TRUE, network, 4).byte, 3.2e-9, 1e-9);
});

Deno.test("buckets follow one another, the last one is what is left", () => {
  const asked: number[] = [];
  const cost = (bytes: number) => (asked.push(bytes), 1 + bytes);
  strictEqual(inBuckets({ bytes: 25, bucketBytes: 10 }, cost), 2 * 11 + 6);
  deepStrictEqual(asked, [10, 5]);
  strictEqual(inBuckets({ bytes: 5, bucketBytes: 10 }, cost), 6);
});
