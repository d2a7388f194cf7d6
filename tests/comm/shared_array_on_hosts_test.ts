import assert from "node:assert/strict";
import type { ProcessGroup, SharedArray } from "../../runtime/comm/process_group.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { joinHosts } from "./hosts_of_ranks.ts";
import { delay } from "./late_transport.ts";
import { ProcessMemory } from "./process_memory.ts";
import { checkReducedInPlace } from "./reduced_in_place.ts";

const leave = (groups: readonly ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
const SMALL = { smallBytes: 64, chunkBytes: 4096, sharedChunkBytes: 4096, collectiveTimeoutMs: 20_000 };

function makeArrays(groups: readonly ProcessGroup[], length: number): Promise<SharedArray<Float32Array>[]> {
  return Promise.all(groups.map((group) => group.sharedArray(Float32Array, length)));
}

Deno.test("on several hosts a shared array is reduced in place on each, to the bytes of an ordinary one", async () => {
  for (const hosts of [[[0, 1], [2, 3]], [[3, 0, 1], [2, 4]], [[0, 1, 2], [5, 3, 4], [6, 7, 8]]]) {
    const { groups, memories } = joinHosts(hosts, { ...SMALL, faults: () => ({}) });
    await Promise.all(groups.map(async (group) => {
      for (const Type of [Float32Array, Float64Array, Int32Array]) {
        for (const length of [9, 15, 16, 17, 18, 19, 31, 32, 33, 63, 64, 65, 100, 1021, 20_000]) {
          await checkReducedInPlace(group, Type, { before: 3, length, after: 67 });
        }
      }
    }));
    await leave(groups);
    for (const memory of memories) assert.deepEqual([memory.openCount, memory.trespassed], [0, 0]);
  }
});

Deno.test("on several hosts reductions of shared arrays copy nothing within a host, and nobody goes on before all have written", async () => {
  const hosts = [[0, 1], [2, 3]], memories = hosts.map(() => new ProcessMemory());
  const groups = memoryTransports(4).map((transport, rank) => {
    // What the second ranks of the hosts send each other is late: theirs is the second half.
    delay(transport, { isLate: (to) => rank % 2 === 1 && to % 2 === 1, delayMs: 2 });
    return new TransportGroup(transport, { ...SMALL, hosts, sharedMemory: memories[Math.floor(rank / 2)] });
  });
  await Promise.all(groups.map(async (group) => {
    const { data } = await group.sharedArray(Float32Array, 10_000);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < data.length; i++) data[i] = i * group.rank + round;
      await group.allReduce(data);
      assert.ok(data.every((value, i) => value === 6 * i + 4 * round), `round ${round}`);
    }
  }));
  for (const memory of memories) assert.equal(memory.writtenBytes("segment 1"), 0);
  await leave(groups);
});

Deno.test("where one host has no room for an array the others do not share it either, and the next is shared by all again", async () => {
  const isFull = [false, false];
  const { groups, memories } = joinHosts([[0, 1], [2, 3]], {
    ...SMALL,
    faults: (host) => ({ reserve: () => isFull[host] ? new Error("No space left on device") : undefined }),
  });
  const first = await makeArrays(groups, 10_000);
  isFull[1] = true;
  const second = await makeArrays(groups, 10_000);
  isFull[1] = false;
  const third = await makeArrays(groups, 10_000);
  for (const [arrays, isShared] of [[first, true], [second, false], [third, true]] as const) {
    assert.deepEqual(arrays.map((array) => array.isShared), [isShared, isShared, isShared, isShared]);
    for (const [rank, { data }] of arrays.entries()) data.fill(rank);
    await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
    for (const { data } of arrays) assert.ok(data.every((value) => value === 6));
  }
  assert.deepEqual(memories.map(({ openCount }) => openCount), [6, 6], "an arena and two arrays a rank");
  await leave(groups);
});
