import assert from "node:assert/strict";
import { type JoinOptions, joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { CommTimeoutError } from "../../runtime/core/errors.ts";
import { CASES } from "./process_group_suite.ts";
import { inProcesses } from "./rank_processes.ts";

interface Told {
  name: string;
  message: string;
  facts?: { rank: number };
  later?: Told;
}

/** Joins all ranks in this process, over sockets. */
async function inOneProcess(worldSize: number, options: Partial<JoinOptions> = {}): Promise<ProcessGroup[]> {
  await using store = new MemoryStore();
  const ranks = Array.from({ length: worldSize }, (_, rank) => rank);
  return await Promise.all(
    ranks.map((rank) => joinProcessGroup({ store, rank, worldSize, firstWaitUs: 0, timeoutMs: 20_000, ...options })),
  );
}

const leave = (groups: ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));

const WORLDS = [
  [2, { transport: "auto" }],
  [3, { transport: "auto", sharedFromBytes: 0, sharedWholeBytes: 65_536, sharedChunkBytes: 65_536 }],
  [4, { transport: "auto" }],
  [2, { transport: "zmq" }],
  [3, { transport: "tcp" }],
] as const;
for (const [worldSize, options] of WORLDS) {
  Deno.test(`${worldSize} processes by ${JSON.stringify(options)} do all that a process group does`, async () => {
    const results = await inProcesses(worldSize, { options });
    for (const result of results) {
      assert.deepEqual(result, results[0]);
      assert.deepEqual(Object.keys(result), Object.keys(CASES));
    }
  });
}

for (const [name, body] of Object.entries(CASES)) {
  Deno.test(`3 ranks over sockets of one process: ${name}`, async () => {
    const groups = await inOneProcess(3, { chunkBytes: 50_000, transport: "tcp" });
    const results = await Promise.all(groups.map(body));
    for (const result of results) assert.deepEqual(result, results[0]);
    await leave(groups);
  });
}

Deno.test("processes that call different collectives all learn who called what, and where", async () => {
  const scene = "one rank calls something else";
  const results = await inProcesses(3, { scene });
  for (const result of results) {
    const told = result[scene] as Told;
    assert.equal(told.name, "CollectiveMismatchError");
    assert.match(told.message, /rank 0: allReduce \(sum\) of 4 float32 at file:.*process_group_scenes\.ts:\d+:\d+/);
    assert.match(told.message, /rank 1: broadcast \(root 0\) of 4 float32 at file:.*process_group_scenes\.ts:\d+:\d+/);
    assert.match(told.message, /rank 2: allReduce/);
  }
});

Deno.test("when a process aborts, the others' collectives, waiting and later, name it and its error", async () => {
  const scene = "one rank aborts while the others wait";
  const [zero, one, two] = (await inProcesses(3, { scene })).map((result) => result[scene] as Told);
  for (const told of [zero, two, zero.later!, two.later!]) {
    assert.equal(told.name, "RankFailedError");
    assert.equal(told.facts?.rank, 1);
    assert.match(told.message, /rank 1 failed.*TypeError: the data is bad/);
  }
  assert.match(one.message, /closed/);
});

Deno.test("a collective that one process does not call times out and names that rank", async () => {
  const scene = "one rank does not come";
  const [zero, one, two] = (await inProcesses(3, { scene })).map((result) => result[scene] as Told);
  for (const told of [zero, two]) {
    assert.equal(told.name, "CommTimeoutError");
    assert.match(told.message, /waited 0\.2 s in allReduce \(sum\) of 1 float32.*not heard from rank 1/);
  }
  assert.ok(["RankFailedError", "CollectiveMismatchError"].includes(one.name), one.message);
});

Deno.test("the event loop goes on while a rank waits for another", async () => {
  const scene = "a timer fires while a rank waits";
  const [zero] = await inProcesses(2, { scene });
  assert.ok(zero[scene] as number >= 3, `the timer fired ${zero[scene]} times`);
});

Deno.test("a world of one needs no sockets", async () => {
  await using store = new MemoryStore();
  await using group = await joinProcessGroup({ store, rank: 0, worldSize: 1 });
  assert.deepEqual(await group.allReduce(new Float32Array([2, 4]), { op: "mean" }), new Float32Array([2, 4]));
});

Deno.test("ranks that do not join in time are named", async () => {
  await using store = new MemoryStore();
  await assert.rejects(
    joinProcessGroup({ store, rank: 1, worldSize: 4, timeoutMs: 30 }),
    (error) => error instanceof CommTimeoutError && /3 of 4 ranks did not join.*: 0, 2, 3/.test(error.message),
  );
});

Deno.test("two processes with the same rank are told so", async () => {
  await using store = new MemoryStore();
  const joins = await Promise.allSettled(
    [0, 0, 1].map((rank) => joinProcessGroup({ store, rank, worldSize: 2, timeoutMs: 10_000 })),
  );
  const refused = joins.filter((join) => join.status === "rejected");
  await leave(joins.flatMap((join) => join.status === "fulfilled" ? [join.value] : []));
  assert.equal(refused.length, 1, "one of them is in");
  assert.match(refused[0].reason.message, /rank 0 has already joined/);
});

Deno.test("a rank outside of the world, a world of none and an unknown transport are refused", async () => {
  await using store = new MemoryStore();
  await assert.rejects(joinProcessGroup({ store, rank: 2, worldSize: 2 }), RangeError);
  await assert.rejects(joinProcessGroup({ store, rank: 0, worldSize: 0 }), RangeError);
  await assert.rejects(joinProcessGroup({ store, rank: 0, worldSize: 2, transport: "udp" as "tcp" }), TypeError);
});

Deno.test("nothing is left of the socket files once the ranks are connected", async () => {
  const files = () =>
    Array.from(Deno.readDirSync("/tmp")).map(({ name }) => name).filter((name) => name.startsWith("weft-"));
  const before = new Set(files());
  const groups = await inOneProcess(2, { transport: "ipc" });
  assert.deepEqual(files().filter((name) => !before.has(name)), []);
  await Promise.all(groups.map((group) => group.barrier()));
  await leave(groups);
});

Deno.test("socket files lie in the folder that was given, until the ranks are connected", async () => {
  const socketFolder = await Deno.makeTempDir({ prefix: "weft-test-" });
  const entries = () => Array.from(Deno.readDirSync(socketFolder)).length;
  await using store = new MemoryStore();
  const lonely = joinProcessGroup({ store, rank: 0, worldSize: 2, timeoutMs: 200, socketFolder });
  // Its card is published after its socket is bound.
  await store.wait(["group/run/0/main/rank/0"], { timeoutMs: 10_000 });
  assert.equal(entries(), 1);
  await assert.rejects(lonely, CommTimeoutError);
  assert.equal(entries(), 0);
  await Deno.remove(socketFolder);
});
