import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { NumberArray, ProcessGroup, ReduceOp } from "../../runtime/comm/process_group.ts";
import { segmentOf } from "../../runtime/comm/process_group.ts";

/** What every process group does. A case runs on each rank; what it returns is compared between ranks. */
export const CASES: Record<string, (group: ProcessGroup) => Promise<unknown>> = {
  "sums, means, least, greatest and products are those of a closed form, for every type and size": reductions,
  "reduced random floats are the same bytes on every rank": sameBytes,
  "shared arrays, and the same part of them, end with the bytes that ordinary arrays end with": sharedArrays,
  "reduce-scatter gives each rank its segment of what all-reduce gives": reduceScatters,
  "all-gather gives every rank's array, by rank, whatever the lengths": allGathers,
  "all-gather of shared arrays, and of parts of them that begin alike, gives what ordinary ones give": sharedGathers,
  "a broadcast gives the root's array to all, from any root": broadcasts,
  "objects arrive as they were sent": objects,
  "calls made before the last one finished are carried out in turn": queued,
  "a barrier lets nobody through before all have come": barriers,
};

const OPS: ReduceOp[] = ["sum", "mean", "min", "max", "product"];
const TYPES = [
  { Type: Float32Array, round: Math.fround },
  { Type: Float64Array, round: (value: number) => value },
  { Type: Int32Array, round: Math.trunc },
];
/** Nothing, less than a rank each, not a multiple of anything, around the ring in several chunks. */
const SIZES = [0, 1, 5, 1000, 20_011, 70_001];

async function reductions(group: ProcessGroup): Promise<void> {
  const { rank, worldSize: n } = group;
  for (const { Type, round } of TYPES) {
    for (const op of OPS) {
      for (const size of SIZES) {
        const data: NumberArray = new Type(size).map((_, i) => (i % 3) + rank + 1);
        const result = await group.allReduce(data, { op });
        assert.equal(result, data);
        const expected = [1, 2, 3].map((low) => {
          const high = low + n - 1, sum = n * (low + high) / 2;
          let product = 1;
          for (let k = low; k <= high; k++) product *= k;
          return round({ sum, mean: sum / n, min: low, max: high, product }[op]);
        });
        const wrong = data.findIndex((value, i) => value !== expected[i % 3]);
        assert.equal(
          wrong,
          -1,
          `${op} of ${size} ${Type.name}: element ${wrong} is ${data[wrong]}, not ${expected[wrong % 3]}`,
        );
      }
    }
  }
  const big = new Int32Array([2 ** 31 - 1, -7, 65_537]);
  await group.allReduce(big, { op: "sum" });
  assert.deepEqual(big, new Int32Array([Math.imul(2 ** 31 - 1, n), -7 * n, 65_537 * n]), "integers wrap around");
}

async function sameBytes(group: ProcessGroup): Promise<unknown> {
  const digests: string[] = [];
  for (const size of [3, 7001, 70_001, 300_007]) {
    const data = Float32Array.from(
      { length: size },
      (_, i) => Math.sin(i * 12.9898 + group.rank * 78.233) * 10 ** (i % 12 - 6),
    );
    const exact = await exactSum(group, data);
    await group.allReduce(data);
    for (let i = 0; i < size; i += 997) {
      assert.ok(Math.abs(data[i] - exact[i]) <= 1e-5 * Math.abs(exact[i]) + 1e-12 + 1e-6 * 10 ** (i % 12 - 6));
    }
    const digest = await crypto.subtle.digest("SHA-256", data);
    digests.push(new Uint8Array(digest).toHex());
  }
  return digests;
}

async function sharedArrays(group: ProcessGroup): Promise<unknown> {
  const { rank, worldSize } = group, digests: string[] = [];
  for (const { Type } of TYPES) {
    // Larger than what is reduced as a whole where ranks share memory, in tests and by default.
    const size = 140_011, large = await group.sharedArray<NumberArray>(Type, size);
    using small = await group.sharedArray<NumberArray>(Type, 100);
    using _large = large;
    assert.equal(large.data.length, size);
    assert.ok([large, small].every(({ data }) => data.every((value) => value === 0)), "they begin as zeros");
    const before: NumberArray = new Type(size).map((_, i) => Math.sin(i * 12.9898 + rank * 78.233) * 10 ** (i % 9));
    for (const op of OPS) {
      for (
        const [data, from, to] of [[large.data, 0, size], [large.data, 3, size - 5], [small.data, 1, 100]] as const
      ) {
        data.set(before.subarray(0, data.length));
        const part = data.subarray(from, to) as NumberArray, expected = before.slice(from, to);
        await group.allReduce(expected, { op });
        assert.equal(await group.allReduce(part, { op }), part);
        assertSameBytes(part, expected);
        for (const [start, end] of [[0, from], [to, data.length]]) {
          assertSameBytes(data.subarray(start, end), before.subarray(start, end));
        }
        part.set(before.subarray(from, to));
        const { start, end } = segmentOf(part.length, rank, worldSize);
        assertSameBytes(await group.reduceScatter(part, { op }), expected.subarray(start, end));
        for (const [start, end] of [[0, from], [to, data.length]]) {
          assertSameBytes(data.subarray(start, end), before.subarray(start, end));
        }
        if (op !== "mean") continue;
        digests.push(new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytesOf(expected)))).toHex());
      }
    }
  }
  return digests;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

function assertSameBytes(actual: ArrayBufferView, expected: ArrayBufferView): void {
  const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  assert.equal(actual.constructor, expected.constructor);
  assert.ok(
    bytes(actual).equals(bytes(expected)),
    `${actual.byteLength} bytes differ from the ${expected.byteLength} expected`,
  );
}

async function exactSum(group: ProcessGroup, data: Float32Array): Promise<Float64Array> {
  const all = await group.allGather(data);
  return Float64Array.from(data, (_, i) => all.reduce((sum, one) => sum + one[i], 0));
}

async function reduceScatters(group: ProcessGroup): Promise<void> {
  for (const size of SIZES) {
    const make = () => Float32Array.from({ length: size }, (_, i) => (i % 100) * (group.rank + 1));
    const whole = await group.allReduce(make(), { op: "mean" });
    const { start, end } = segmentOf(size, group.rank, group.worldSize);
    assertSameBytes(await group.reduceScatter(make(), { op: "mean" }), whole.slice(start, end));
  }
}

async function allGathers(group: ProcessGroup): Promise<void> {
  for (
    const lengthOf of [
      () => 3,
      (rank: number) => rank,
      (rank: number) => 50_000 * rank + 1,
      (rank: number) => rank === 0 ? 700_000 : 0,
    ]
  ) {
    const all = await group.allGather(Int32Array.from({ length: lengthOf(group.rank) }, (_, i) => i * 7 + group.rank));
    const expected = Array.from(
      { length: group.worldSize },
      (_, rank) => Int32Array.from({ length: lengthOf(rank) }, (_, i) => i * 7 + rank),
    );
    assert.equal(all.length, expected.length);
    for (const [rank, part] of all.entries()) assertSameBytes(part, expected[rank]);
  }
  const bytes = await group.allGather(new Uint8Array([group.rank, 255]));
  assert.deepEqual(bytes[group.worldSize - 1], new Uint8Array([group.worldSize - 1, 255]));
}

async function sharedGathers(group: ProcessGroup): Promise<void> {
  const { rank, worldSize } = group;
  for (const { Type } of TYPES) {
    using large = await group.sharedArray<NumberArray>(Type, 50_000 * worldSize, { use: "gather" });
    using small = await group.sharedArray<NumberArray>(Type, 50, { use: "gather" });
    const values = (of: number, length: number): NumberArray =>
      new Type(length).map((_, i) => Math.sin(i * 12.9898 + of * 78.233) * 1e6);
    for (
      const [{ data }, begin, lengthOf] of [
        [large, 0, () => large.data.length],
        [large, 3, (rank: number) => rank],
        [large, 8, (rank: number) => 49_000 * rank + 1],
        [small, 1, (rank: number) => rank === 0 ? 49 : 0],
      ] as const
    ) {
      const part = data.subarray(begin, begin + lengthOf(rank)) as NumberArray;
      part.set(values(rank, part.length));
      const all = await group.allGather(part);
      // At once, while others may still be reading.
      data.fill(rank + 7);
      assert.equal(all.length, worldSize);
      assert.equal(all[rank], part);
      for (const [of, array] of all.entries()) {
        if (of !== rank) assertSameBytes(array, values(of, lengthOf(of)));
      }
    }
  }
}

async function broadcasts(group: ProcessGroup): Promise<void> {
  for (let root = 0; root < group.worldSize; root++) {
    for (const size of [0, 1, 10_000, 400_003]) {
      const expected = Float64Array.from({ length: size }, (_, i) => i + root / 8);
      const data = group.rank === root ? expected.slice() : new Float64Array(size);
      assert.equal(await group.broadcast(data, { root }), data);
      assertSameBytes(data, expected);
    }
  }
}

async function objects(group: ProcessGroup): Promise<void> {
  const value = (rank: number) => ({
    rank,
    nothing: undefined,
    numbers: [NaN, Infinity, -Infinity, -0, 1e-300],
    weights: new Float32Array([1.5, rank]),
    nested: { list: [null, "ä\n", true, { $: "not a tag" }], big: 12345678901234567890n },
    bytes: new Uint8Array(rank * 400_000).fill(rank),
  });
  const { rank, worldSize } = group;
  const expected = Array.from({ length: worldSize }, (_, rank) => value(rank));
  const last = worldSize - 1;
  assert.deepEqual(
    await group.broadcastObject(rank === last ? value(last) : undefined, { root: last }),
    expected[last],
  );
  assert.deepEqual(await group.allGatherObjects(value(rank)), expected);
  assert.deepEqual(await group.gatherObjects(value(rank), { root: last }), rank === last ? expected : undefined);
}

async function queued(group: ProcessGroup): Promise<void> {
  const { rank, worldSize: n } = group;
  const one = new Float32Array([rank]), two = new Float64Array(50_000).fill(rank);
  const results = await Promise.all([
    group.allReduce(one),
    group.broadcastObject({ from: rank }, { root: n - 1 }),
    group.allReduce(two, { op: "max" }),
    group.barrier(),
    group.allGather(new Int32Array([rank])),
  ]);
  assert.equal(one[0], n * (n - 1) / 2);
  assert.deepEqual(results[1], { from: n - 1 });
  assert.ok(two.every((value) => value === n - 1));
  assert.deepEqual(results[4].map((part) => part[0]), Array.from({ length: n }, (_, i) => i));
}

async function barriers(group: ProcessGroup): Promise<void> {
  for (let late = 0; late < group.worldSize; late++) {
    // What the late rank sent before its barrier is there afterwards: nobody has passed without it.
    const before = performance.timeOrigin + performance.now();
    if (group.rank === late) await new Promise((resolve) => setTimeout(resolve, 5));
    const entered = performance.timeOrigin + performance.now();
    await group.barrier();
    const left = performance.timeOrigin + performance.now();
    assert.ok(before <= entered);
    const times = await group.allGather(new Float64Array([entered, left]));
    const lastEntered = Math.max(...times.map(([entered]) => entered));
    // Clocks of processes on one machine agree to well within the late rank's delay.
    for (const [, left] of times) assert.ok(left >= lastEntered - 2);
  }
}
