import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { type NumberArray, type ProcessGroup, type ReduceOp, segmentOf } from "../../runtime/comm/process_group.ts";
import { CollectiveMismatchError } from "../../runtime/core/errors.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { type Faults, ProcessMemory } from "./process_memory.ts";
import { CASES } from "./process_group_suite.ts";

const leave = (groups: ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
const SMALL = {
  smallBytes: 4096,
  sharedFromBytes: 0,
  sharedWholeBytes: 8192,
  sharedChunkBytes: 4096,
  collectiveTimeoutMs: 20_000,
};

for (let worldSize = 2; worldSize <= 6; worldSize++) {
  for (const [name, body] of Object.entries(CASES)) {
    Deno.test(`${worldSize} ranks that share memory: ${name}`, async () => {
      const sharedMemory = new ProcessMemory();
      // Arrays of a few hundred elements are reduced as a whole, the others in up to hundreds of chunks.
      const groups = joinMemoryGroup(worldSize, { ...SMALL, sharedMemory });
      const results = await Promise.all(groups.map(body));
      for (const result of results) assert.deepEqual(result, results[0]);
      await leave(groups);
      assert.equal(sharedMemory.openCount, 0);
      assert.equal(sharedMemory.trespassed, 0);
    });
  }
}

Deno.test("every length around whole arrays, pieces and chunks gives the closed form's sums, in any order of calls", async () => {
  for (const worldSize of [2, 3, 4]) {
    const sharedMemory = new ProcessMemory();
    const groups = joinMemoryGroup(worldSize, { ...SMALL, sharedMemory });
    const edges = [1, 16, 2048, 4096 / 4, 3 * 1024, 8 * 1024, 9 * 1024, 16 * 1024];
    const lengths = edges.flatMap((edge) => [edge - 1, edge, edge + 1, edge + worldSize]);
    // Long and short ones follow each other, so that slots are written again while a slow rank could still read them.
    lengths.sort((a, b) => Math.sin(a) - Math.sin(b));
    await Promise.all(groups.map(async (group) => {
      for (const length of lengths) {
        const make = () => Float64Array.from({ length }, (_, i) => (i + 1) * (group.rank + 1));
        const factor = worldSize * (worldSize + 1) / 2;
        const expected = Float64Array.from({ length }, (_, i) => (i + 1) * factor);
        assert.deepEqual(await group.allReduce(make()), expected, `${length} elements`);
        const { start, end } = segmentOf(length, group.rank, worldSize);
        assert.deepEqual(
          await group.reduceScatter(make()),
          expected.slice(start, end),
          `${length} elements, scattered`,
        );
      }
    }));
    await leave(groups);
    assert.equal(sharedMemory.trespassed, 0);
  }
});

Deno.test("views into a larger buffer are reduced and nothing beside them is touched", async () => {
  const groups = joinMemoryGroup(2, { ...SMALL, sharedMemory: new ProcessMemory() });
  for (const length of [100, 50_000]) {
    const buffers = groups.map(() => new Float32Array(length + 8).fill(3));
    await Promise.all(groups.map((group, rank) => group.allReduce(buffers[rank].subarray(3, 3 + length))));
    for (const buffer of buffers) {
      assert.deepEqual(buffer, new Float32Array(length + 8).fill(6, 3, 3 + length).map((value) => value || 3));
    }
  }
  await leave(groups);
});

Deno.test("shared memory and messages alone give the same bytes for two ranks", async () => {
  const results: NumberArray[] = [];
  for (const sharedMemory of [undefined, new ProcessMemory()]) {
    const groups = joinMemoryGroup(2, { ...SMALL, sharedMemory });
    for (const op of ["sum", "mean", "product", "min", "max"] as ReduceOp[]) {
      const make = (rank: number) => Float32Array.from({ length: 30_000 }, (_, i) => Math.sin(i * 1.7 + rank * 3.1));
      results.push((await Promise.all(groups.map((group) => group.allReduce(make(group.rank), { op }))))[1]);
    }
    await leave(groups);
  }
  assert.deepEqual(results.slice(0, 5), results.slice(5));
});

const full = () => new Error("No space left on device");
/** What goes wrong, and after how many times that it went well. */
const FAILURES: [string, (count: () => number) => Faults][] = [
  ["there is no shared memory", () => ({ create: full })],
  ["one rank cannot open it", (count) => ({ open: () => count() === 2 ? full() : undefined })],
  ["it is full at first", () => ({ reserve: full })],
  ["it is full for one rank", (count) => ({ reserve: () => count() === 5 ? full() : undefined })],
  ["it is full when chunks need room", () => ({ reserve: (_, bytes) => bytes > 20_000 ? full() : undefined })],
];
for (const [what, faultsOf] of FAILURES) {
  Deno.test(`if ${what}, all ranks go on by messages, and one line says so`, async () => {
    let calls = 0;
    const sharedMemory = new ProcessMemory(faultsOf(() => ++calls));
    const lines: string[] = [];
    using _route = routeMessages((line) => lines.push(line));
    const groups = joinMemoryGroup(3, { ...SMALL, sharedMemory });
    for (const length of [500, 60_000, 500, 60_000]) {
      const sums = await Promise.all(
        groups.map((group) => group.allReduce(new Int32Array(length).fill(group.rank + 1))),
      );
      for (const sum of sums) assert.ok(sum.every((value) => value === 6), `${length} elements`);
    }
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0], /Ranks do not share memory \(rank \d: No space left on device\).*ZeroMQ/);
    assert.equal(sharedMemory.openCount, 0, "what was opened is closed");
    assert.ok(sharedMemory.made <= 1, "nobody tries again");
    await leave(groups);
  });
}

Deno.test("ranks that disagree about what they reduce in shared memory learn who called what", async () => {
  const groups = joinMemoryGroup(3, { ...SMALL, sharedMemory: new ProcessMemory() });
  await Promise.all(groups.map((group) => group.allReduce(new Float32Array(3000))));
  const calls = groups.map((group) => group.allReduce(new Float32Array(group.rank === 1 ? 70_000 : 3000)));
  for (const call of await Promise.allSettled(calls)) {
    assert.ok(call.status === "rejected" && call.reason instanceof CollectiveMismatchError, String(call));
    assert.match(call.reason.message, /rank 0: .*3000 float32[^]*rank 1: .*70000 float32/);
  }
  await leave(groups);
});

Deno.test("a rank that does not come to share memory is named when the time is over", async () => {
  const sharedMemory = new ProcessMemory();
  const groups = joinMemoryGroup(3, { ...SMALL, sharedMemory });
  const calls = [0, 2].map((rank) => groups[rank].allReduce(new Float32Array(9000), { timeoutMs: 30 }));
  for (const call of await Promise.allSettled(calls)) {
    assert.ok(call.status === "rejected");
    assert.match(call.reason.message, /allReduce.*not heard from rank 1/);
  }
  await leave(groups);
  assert.equal(sharedMemory.openCount, 0);
});
