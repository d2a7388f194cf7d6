import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import type { ProcessGroup, SharedArray, SharedArrayUse } from "../../runtime/comm/process_group.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { CollectiveMismatchError } from "../../runtime/core/errors.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { joinHosts } from "./hosts_of_ranks.ts";
import { delay } from "./late_transport.ts";
import { ProcessMemory } from "./process_memory.ts";
import { checkReducedInPlace } from "./reduced_in_place.ts";

const leave = (groups: readonly ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
const SMALL = { sharedFromBytes: 0, sharedWholeBytes: 8192, sharedChunkBytes: 4096, collectiveTimeoutMs: 20_000 };
const full = () => new Error("No space left on device");

function makeArrays(
  groups: readonly ProcessGroup[],
  length: number,
  use?: SharedArrayUse,
): Promise<SharedArray<Float32Array>[]> {
  return Promise.all(groups.map((group) => group.sharedArray(Float32Array, length, { use })));
}

Deno.test("every length around vectors and ranks' shares is reduced in place to the bytes of ordinary arrays", async () => {
  for (const worldSize of [2, 3, 4]) {
    const sharedMemory = new ProcessMemory();
    const groups = joinMemoryGroup(worldSize, { ...SMALL, sharedWholeBytes: 0, sharedMemory });
    await Promise.all(groups.map(async (group) => {
      for (const Type of [Float32Array, Float64Array, Int32Array]) {
        for (let length = 1; length < 70; length++) {
          await checkReducedInPlace(group, Type, { before: 1, length, after: 1 });
        }
      }
    }));
    await leave(groups);
    assert.deepEqual([sharedMemory.openCount, sharedMemory.trespassed], [0, 0]);
  }
});

/** Ranks that share memory; what goes to the last of them is late. */
function joinWithLateRank(worldSize: number, delayMs: number): ProcessGroup[] {
  const sharedMemory = new ProcessMemory();
  return memoryTransports(worldSize).map((transport) => {
    delay(transport, { isLate: (to) => to === worldSize - 1, delayMs });
    return new TransportGroup(transport, { ...SMALL, sharedMemory });
  });
}

Deno.test("what a late rank still has to read is not overwritten by those that are done, round after round", async () => {
  const groups = joinWithLateRank(3, 2);
  await Promise.all(groups.map(async (group) => {
    const { data } = await group.sharedArray(Float64Array, 5000);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < data.length; i++) data[i] = (i + 1) * (group.rank + 1) + round;
      await group.allReduce(data);
      assert.ok(data.every((value, i) => value === 6 * (i + 1) + 3 * round), `round ${round}`);
    }
  }));
  await leave(groups);
});

Deno.test("what a late rank still has to copy of an all-gather is not overwritten by those that are done, round after round", async () => {
  const groups = joinWithLateRank(3, 2);
  await Promise.all(groups.map(async (group) => {
    const { data, isShared } = await group.sharedArray(Float64Array, 5000, { use: "gather" });
    assert.ok(isShared);
    for (let round = 0; round < 20; round++) {
      const part = data.subarray(0, 2000 + 1000 * group.rank);
      for (let i = 0; i < part.length; i++) part[i] = (i + 1) * (group.rank + 1) + round;
      const all = await group.allGather(part);
      if (group.rank !== 2) part.fill(-1);
      for (const [rank, array] of all.entries()) {
        if (rank === group.rank) continue;
        assert.equal(array.length, 2000 + 1000 * rank);
        assert.ok(array.every((value, i) => value === (i + 1) * (rank + 1) + round), `round ${round}, of rank ${rank}`);
      }
    }
  }));
  await leave(groups);
});

Deno.test("an all-gather of shared arrays sends nothing but turns, and needs no arena", async () => {
  const sharedMemory = new ProcessMemory(), transports = memoryTransports(2);
  let sent = 0;
  const groups = transports.map((transport) => {
    const send = transport.send.bind(transport);
    transport.send = (to, head, payload, inPlace) => {
      sent += payload.byteLength;
      return send(to, head, payload, inPlace);
    };
    return new TransportGroup(transport, { ...SMALL, sharedMemory });
  });
  const arrays = await makeArrays(groups, 1000, "gather");
  assert.deepEqual([arrays[0].isShared, sharedMemory.made], [true, 1]);
  for (const [rank, { data }] of arrays.entries()) data.fill(rank + 7);
  sent = 0;
  const gathered = await Promise.all(groups.map((group, rank) => group.allGather(arrays[rank].data)));
  assert.equal(sent, 0);
  for (const [rank, { data }] of arrays.entries()) data.fill(-rank);
  assert.ok(gathered[0][1].every((value) => value === 8) && gathered[1][0].every((value) => value === 7), "copies");
  await leave(groups);
  assert.deepEqual([sharedMemory.openCount, sharedMemory.trespassed], [0, 0]);
});

Deno.test("an array of middle size is shared to be gathered, not to be reduced; reduced all the same, it goes through the arena", async () => {
  const sharedMemory = new ProcessMemory(), groups = joinMemoryGroup(2, { ...SMALL, sharedMemory });
  const arrays = await makeArrays(groups, 1000, "gather"), others = await makeArrays(groups, 1000, "reduce");
  assert.deepEqual([...arrays, ...others].map(({ isShared }) => isShared), [true, true, false, false]);
  for (const { data } of arrays) data.fill(3);
  await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
  for (const { data } of arrays) assert.ok(data.every((value) => value === 6));
  assert.equal(sharedMemory.made, 2);
  await leave(groups);
});

Deno.test("reductions of shared arrays copy nothing: the arena stays as it was", async () => {
  const sharedMemory = new ProcessMemory(), groups = joinMemoryGroup(2, { ...SMALL, sharedMemory });
  const arrays = await makeArrays(groups, 10_000);
  assert.ok(arrays.every(({ isShared }) => isShared));
  for (const { data } of arrays) data.fill(7);
  await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
  for (const { data } of arrays) assert.ok(data.every((value) => value === 14));
  assert.deepEqual(sharedMemory.writtenBytes("segment 1"), 0);
  assert.equal(sharedMemory.writtenBytes("segment 2"), 2 * 10_000 * 2);
  await leave(groups);
});

for (
  const [what, make] of [
    ["messages alone", () => joinMemoryGroup(2, SMALL)],
    ["a rank that is alone on its host", () => joinHosts([[0, 1], [2]], { ...SMALL, faults: () => ({}) }).groups],
    ["one rank", () => joinMemoryGroup(1, { ...SMALL, sharedMemory: new ProcessMemory() })],
  ] as const
) {
  Deno.test(`with ${what} a shared array is an ordinary one`, async () => {
    const groups = make(), arrays = await makeArrays(groups, 10_000);
    for (const { data, isShared } of arrays) {
      assert.deepEqual([isShared, data.fill(2).buffer.byteLength], [false, 40_000]);
    }
    await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
    for (const { data } of arrays) assert.ok(data.every((value) => value === 2 * groups.length));
    const [first] = await Promise.all(groups.map((group, rank) => group.allGather(arrays[rank].data)));
    for (const array of first) assert.ok(array.every((value) => value === 2 * groups.length));
    for (const array of arrays) array[Symbol.dispose]();
    await leave(groups);
  });
}

Deno.test("where there is room for the arena alone, all ranks get ordinary arrays, and the arena reduces them", async () => {
  for (const rank of [0, 2]) {
    let grows = 0;
    const sharedMemory = new ProcessMemory({
      reserve: (_, bytes) => bytes === 81_920 && grows++ === rank ? full() : undefined,
    });
    const lines: string[] = [];
    using _route = routeMessages((line) => lines.push(line));
    const groups = joinMemoryGroup(3, { ...SMALL, sharedMemory });
    const arrays = await makeArrays(groups, 20_000);
    assert.deepEqual(arrays.map(({ isShared }) => isShared), [false, false, false]);
    assert.equal(sharedMemory.openCount, 3, "the arena is open, what was to be the arrays' is not");
    for (const { data } of arrays) data.fill(2);
    await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
    for (const { data } of arrays) assert.ok(data.every((value) => value === 6));
    assert.ok(sharedMemory.writtenBytes("segment 1") > 0);
    assert.deepEqual(lines, []);
    await leave(groups);
  }
});

Deno.test("where there is no room for the arena, nothing is shared, and one line says so", async () => {
  const sharedMemory = new ProcessMemory({ reserve: full }), lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  const groups = joinMemoryGroup(2, { ...SMALL, sharedMemory });
  for (let i = 0; i < 2; i++) {
    const arrays = await makeArrays(groups, 20_000);
    assert.deepEqual(arrays.map(({ isShared }) => isShared), [false, false]);
  }
  assert.equal(lines.length, 1);
  assert.deepEqual([sharedMemory.made, sharedMemory.openCount], [1, 0]);
  await leave(groups);
});

Deno.test("ranks that mean different arrays, parts or lengths learn who called what", async () => {
  const choose: [string, (array: SharedArray<Float32Array>, other: SharedArray<Float32Array>) => Float32Array][] = [
    ["an ordinary array", () => new Float32Array(4000)],
    ["another array", (_, other) => other.data.subarray(0, 4000)],
    ["another part", (array) => array.data.subarray(1, 4001)],
  ];
  for (const [what, dataOf] of choose) {
    const groups = joinMemoryGroup(3, { ...SMALL, sharedMemory: new ProcessMemory() });
    const arrays = await makeArrays(groups, 5000), others = await makeArrays(groups, 5000);
    const calls = groups.map((group, rank) =>
      group.allReduce(rank === 1 ? dataOf(arrays[rank], others[rank]) : arrays[rank].data.subarray(0, 4000))
    );
    for (const call of await Promise.allSettled(calls)) {
      assert.ok(call.status === "rejected" && call.reason instanceof CollectiveMismatchError, `${what}: ${call}`);
      assert.match(
        call.reason.message,
        /rank 0: .*4000 float32 at place 1 of the shared arrays[^]*rank 1: .*4000 float32/,
      );
    }
    await leave(groups);
  }
  const pairs: [RegExp, (group: ProcessGroup, array: SharedArray<Float32Array>) => Promise<unknown>][] = [
    [/rank 1: sharedArray of 5001 float32/, (group) => group.sharedArray(Float32Array, 5000 + group.rank)],
    [
      /rank 1: sharedArray \(to gather\) of 5000 float32/,
      (group) => group.sharedArray(Float32Array, 5000, { use: group.rank === 1 ? "gather" : "reduce" }),
    ],
    [
      /rank 0: allGather of 5000 float32 at place 1 of the shared arrays[^]*rank 1: allGather of 4000 float32/,
      (group, { data }) => group.allGather(group.rank === 1 ? new Float32Array(4000) : data),
    ],
  ];
  for (const [message, make] of pairs) {
    const groups = joinMemoryGroup(2, { ...SMALL, sharedMemory: new ProcessMemory() });
    const arrays = await makeArrays(groups, 5000);
    for (const call of await Promise.allSettled(groups.map((group, rank) => make(group, arrays[rank])))) {
      assert.ok(call.status === "rejected" && call.reason instanceof CollectiveMismatchError, `${message}: ${call}`);
      assert.match(call.reason.message, message);
    }
    await leave(groups);
  }
});

Deno.test("a length, a type or a use that is none is an error before anybody is told", async () => {
  const [group] = joinMemoryGroup(1);
  for (const length of [-1, 1.5, NaN]) assert.throws(() => group.sharedArray(Float32Array, length), RangeError);
  const bytes = Uint8Array as unknown as typeof Float32Array;
  assert.throws(() => group.sharedArray(bytes, 1), /sharedArray takes a Float32Array.*not Uint8Array/);
  const use = "both" as SharedArrayUse;
  assert.throws(() => group.sharedArray(Float32Array, 1, { use }), /use is "both"; it must be reduce or gather/);
  await leave([group]);
});

const ignore = Deno.build.os !== "linux";
if (ignore) console.log("skipped: shared memory is used on Linux only");
const mapped = () => Deno.readTextFileSync("/proc/self/maps").match(/\/weft-/g)?.length ?? 0;

/** Ranks of this process that share real memory. */
function joinLinux(store: MemoryStore, worldSize: number): Promise<ProcessGroup[]> {
  const ranks = Array.from({ length: worldSize }, (_, rank) => rank);
  return Promise.all(ranks.map((rank) => joinProcessGroup({ store, rank, worldSize, firstWaitUs: 0 })));
}

Deno.test({
  name:
    "an array that was disposed of gives its memory back when what was called before is over; it is zeros and can still be reduced",
  ignore,
  async fn() {
    await using store = new MemoryStore();
    const groups = await joinLinux(store, 2), arrays = await makeArrays(groups, 1_000_000);
    assert.equal(mapped(), 4, "an arena and an array a rank");
    for (const { data } of arrays) data.fill(1);
    const calls = groups.map((group, rank) => group.allReduce(arrays[rank].data));
    arrays[0][Symbol.dispose]();
    arrays[0][Symbol.dispose]();
    await Promise.all(calls);
    assert.ok(arrays[1].data.every((value) => value === 2), "the other rank's result is whole");
    await Promise.resolve();
    assert.equal(mapped(), 3);
    assert.ok(arrays[0].data.every((value) => value === 0));
    arrays[1][Symbol.dispose]();
    await Promise.resolve();
    assert.equal(mapped(), 2);
    for (const { data } of arrays) data.fill(3);
    await Promise.all(groups.map((group, rank) => group.allReduce(arrays[rank].data)));
    for (const { data } of arrays) assert.ok(data.every((value) => value === 6));
    await leave(groups);
  },
});

Deno.test({
  name: "when a group is closed its arrays are given back; they read as zeros, and take what is written to them",
  ignore,
  async fn() {
    await using store = new MemoryStore();
    const groups = await joinLinux(store, 3), arrays = await makeArrays(groups, 500_000);
    for (const { data } of arrays) data.fill(1);
    await leave(groups);
    assert.equal(mapped(), 0);
    for (const { data } of arrays) {
      assert.ok(data.every((value) => value === 0));
      assert.equal(data.fill(4)[499_999], 4);
    }
    await assert.rejects(groups[0].allReduce(arrays[0].data), /the process group is closed/);
    for (const array of arrays) array[Symbol.dispose]();
  },
});

Deno.test({
  name: "when a rank fails in the middle, the others' arrays are given back with their group",
  ignore,
  async fn() {
    await using store = new MemoryStore();
    const groups = await joinLinux(store, 3), arrays = await makeArrays(groups, 500_000);
    const calls = [0, 1].map((rank) => groups[rank].allReduce(arrays[rank].data));
    await groups[2].abort(new Error("had enough"));
    for (const call of await Promise.allSettled(calls)) {
      assert.ok(call.status === "rejected");
      assert.match(call.reason.message, /rank 2 failed.*had enough/);
    }
    await leave(groups);
    assert.equal(mapped(), 0);
  },
});
