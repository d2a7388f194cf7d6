import assert from "node:assert/strict";
import { openInbox } from "../../runtime/comm/inbox.ts";
import { groupByHost, hostLayout } from "../../runtime/comm/host_layout.ts";
import { meetRanks } from "../../runtime/comm/meet_ranks.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import { posixSharedMemory } from "../../runtime/comm/posix_shared_memory.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { CollectiveMismatchError, CommTimeoutError, RankFailedError } from "../../runtime/core/errors.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { joinHosts } from "./hosts_of_ranks.ts";
import { CASES } from "./process_group_suite.ts";
import { inProcesses } from "./rank_processes.ts";

const leave = (groups: readonly ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
/** Arrays of some hundred elements are cut into segments, those into many chunks. */
const SMALL = { smallBytes: 1024, chunkBytes: 10_000, sharedChunkBytes: 4096, collectiveTimeoutMs: 20_000 };
const none = () => ({});

const WORLDS: Record<string, number[][]> = {
  "2 hosts with 2 ranks each": [[0, 1], [2, 3]],
  "a host with 2 ranks and one with 1": [[0, 1], [2]],
  "3 hosts with 1 rank each": [[0], [1], [2]],
  "hosts with 3, 1 and 2 ranks, in no order": [[5, 0, 3], [1], [4, 2]],
  "3 hosts with 3 ranks each": [[0, 1, 2], [3, 4, 5], [6, 7, 8]],
};
for (const [what, hosts] of Object.entries(WORLDS)) {
  for (const how of ["shared memory", "messages alone"]) {
    for (const [name, body] of Object.entries(CASES)) {
      Deno.test(`${what}, by ${how} on each: ${name}`, async () => {
        const faults = how === "shared memory" ? none : undefined;
        const { groups, memories } = joinHosts(hosts, { ...SMALL, faults });
        const results = await Promise.all(groups.map(body));
        for (const result of results) assert.deepEqual(result, results[0]);
        await leave(groups);
        for (const memory of memories) assert.deepEqual([memory.openCount, memory.trespassed], [0, 0]);
      });
    }
  }
}

Deno.test("between two hosts each element goes once each way, however many ranks they have; within a host none is sent", async () => {
  const hosts = [[0, 1, 2], [3, 4, 5, 6]], elements = 30_000, bytes = 4 * elements;
  const { groups, traffic } = joinHosts(hosts, { ...SMALL, faults: none });
  const reduce = (length: number) => Promise.all(groups.map((group) => group.allReduce(new Float32Array(length))));
  await reduce(elements);
  const opening = { ...traffic };
  assert.equal(opening.between, 2 * bytes);
  await reduce(elements);
  assert.equal(traffic.between - opening.between, 2 * bytes);
  assert.equal(traffic.within, opening.within, "only turns, which are empty");
  const before = traffic.between;
  await reduce(100);
  assert.equal(traffic.between - before, 2 * 400, "what is short too");
  await leave(groups);
});

Deno.test("the same call gives the same bytes again, and the bytes of messages alone where a host has no memory to share", async () => {
  const digest = async (faults?: typeof none) => {
    const { groups } = joinHosts([[0, 1], [2, 3]], { ...SMALL, faults });
    const make = (rank: number) => Float32Array.from({ length: 30_000 }, (_, i) => Math.sin(i * 1.7 + rank * 3.1));
    const all = await Promise.all(groups.map((group) => group.allReduce(make(group.rank), { op: "mean" })));
    await leave(groups);
    for (const one of all) assert.deepEqual(one, all[0]);
    return all[0];
  };
  assert.deepEqual(await digest(none), await digest(none));
  // Two ranks a host: their sum is the same in either order.
  assert.deepEqual(await digest(none), await digest());
});

Deno.test("slots are written again only when all have read them: long and short arrays in any order give the closed form's sums", async () => {
  const hosts = [[0, 1, 2], [3, 4]];
  const { groups, memories } = joinHosts(hosts, { ...SMALL, faults: none });
  const edges = [1, 256, 257, 1024, 2048, 4096, 8 * 1024, 9 * 1024, 16 * 1024];
  const lengths = edges.flatMap((edge) => [edge - 1, edge, edge + 1, edge + 5]).sort((a, b) =>
    Math.sin(a) - Math.sin(b)
  );
  await Promise.all(groups.map(async (group) => {
    for (const [round, length] of lengths.entries()) {
      // Each rank is late in its turn.
      if (round % 5 === group.rank) await new Promise((resolve) => setTimeout(resolve, 1));
      const sum = await group.allReduce(Float64Array.from({ length }, (_, i) => (i + 1) * (group.rank + 1) + round));
      assert.deepEqual(sum, Float64Array.from({ length }, (_, i) => (i + 1) * 15 + 5 * round), `${length} elements`);
    }
  }));
  await leave(groups);
  for (const memory of memories) assert.equal(memory.trespassed, 0);
});

Deno.test("where one host has no room for shared memory its ranks use messages, one line names its rank, and the others go on sharing", async () => {
  const full = () => new Error("No space left on device");
  const lines: string[] = [];
  using _route = routeMessages((line) => lines.push(line));
  const { groups, memories } = joinHosts([[0, 1], [2, 3]], {
    ...SMALL,
    faults: (host) => host === 1 ? { reserve: full } : {},
  });
  for (const length of [500, 60_000]) {
    const sums = await Promise.all(groups.map((group) => group.allReduce(new Int32Array(length).fill(group.rank))));
    for (const sum of sums) assert.ok(sum.every((value) => value === 6), `${length} elements`);
  }
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0], /^Ranks do not share memory \(rank 2: No space left on device\).*ZeroMQ/);
  assert.deepEqual(memories.map(({ openCount }) => openCount), [2, 0]);
  await leave(groups);
});

Deno.test("ranks of different hosts that disagree all learn who called what", async () => {
  for (const lengths of [[10, 10, 10, 20], [9000, 9000, 10, 9000], [9000, 9000, 9000, 9001]]) {
    const { groups } = joinHosts([[0, 1], [2, 3]], { ...SMALL, faults: none });
    const calls = groups.map((group) => group.allReduce(new Float32Array(lengths[group.rank])));
    for (const call of await Promise.allSettled(calls)) {
      assert.ok(call.status === "rejected" && call.reason instanceof CollectiveMismatchError, String(call));
      for (const [rank, length] of lengths.entries()) {
        assert.match(
          call.reason.message,
          new RegExp(`rank ${rank}: allReduce \\(sum\\) of ${length} float32 at .*:\\d+`),
        );
      }
    }
    await leave(groups);
  }
});

Deno.test("a rank that fails, or does not come, is named on all hosts", async () => {
  const { groups } = joinHosts([[0, 1], [2, 3]], { ...SMALL, faults: none });
  await Promise.all(groups.map((group) => group.allReduce(new Float32Array(9000))));
  const waiting = [0, 1, 2].map((rank) => groups[rank].allReduce(new Float32Array(9000)));
  await groups[3].abort(new TypeError("the data is bad"));
  for (const call of await Promise.allSettled(waiting)) {
    assert.ok(call.status === "rejected" && call.reason instanceof RankFailedError, String(call));
    assert.match(call.reason.message, /rank 3 failed.*TypeError: the data is bad/);
  }
  await leave(groups);

  const late = joinHosts([[0, 1], [2, 3]], { ...SMALL, faults: none });
  const calls = [0, 2, 3].map((rank) => late.groups[rank].allReduce(new Float32Array(9000), { timeoutMs: 50 }));
  for (const call of await Promise.allSettled(calls)) {
    assert.ok(call.status === "rejected" && call.reason instanceof CommTimeoutError, String(call));
    assert.match(call.reason.message, /allReduce.*not heard from rank 1$/);
  }
  await leave(late.groups);
});

for (const transport of ["ipc", "tcp"] as const) {
  for (const machines of [["a", "a", "b", "b"], ["a", "a", "b"], ["a", "b", "c"]]) {
    Deno.test(`ranks on ${machines.join(", ")}, by ${transport} within a host, do all that a process group does`, async () => {
      await using store = new MemoryStore();
      const groups = await Promise.all(machines.map(async (machine, rank) =>
        await meetRanks({
          ...{ store, rank, worldSize: machines.length, machine, timeoutMs: 20_000, ...SMALL },
          inbox: await openInbox({ transport, host: "127.0.0.1", firstWaitUs: 0 }),
          sharedMemory: Deno.build.os === "linux" ? posixSharedMemory : undefined,
        })
      ));
      for (const body of Object.values(CASES)) {
        const results = await Promise.all(groups.map(body));
        for (const result of results) assert.deepEqual(result, results[0]);
      }
      await leave(groups);
    });
  }
}

Deno.test("4 processes on what look like 2 hosts do all that a process group does", async () => {
  const results = await inProcesses(4, { machines: ["a", "a", "b", "b"] });
  for (const result of results) {
    assert.deepEqual(result, results[0]);
    assert.deepEqual(Object.keys(result), Object.keys(CASES));
  }
});

Deno.test("hosts are sorted out by what their ranks have in common", () => {
  assert.deepEqual(groupByHost(["b", "a", "b", "c"]), [[0, 2], [1], [3]]);
  const world = (rank: number) => ({ rank, worldSize: 5 });
  const hosts = [[0, 2, 4], [1, 3]];
  assert.deepEqual(hostLayout(hosts, world(2)), { isFlat: false, near: [0, 2, 4], carriers: 2, far: [2, 3] });
  assert.deepEqual(hostLayout(hosts, world(4)), { isFlat: false, near: [0, 2, 4], carriers: 2, far: undefined });
  assert.equal(hostLayout([[0, 1, 2, 3, 4]], world(0)), undefined);
  assert.equal(hostLayout([[0], [1], [2], [3], [4]], world(0))?.isFlat, true);
  for (const wrong of [[[0, 1], [2, 3]], [[0, 1, 2], [2, 3, 4]], [[0, 1, 2], [3, 5]]]) {
    assert.throws(() => hostLayout(wrong, world(0)), { name: "RangeError", message: /ranks 0 to 4/ });
  }
});
