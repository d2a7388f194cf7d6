/** What a transport promises when connections break, and what it does not: see Transport. */
import assert from "node:assert/strict";
import { Head } from "../../runtime/comm/frame.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import type { Transport } from "../../runtime/comm/transport.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";

const leave = (groups: ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));

/** Ranks whose frames pass through `pass`, which may send none, one or several in their place. */
function groupsWith(
  worldSize: number,
  pass: (frame: { from: number; to: number; count: number }, send: () => void) => void,
): ProcessGroup[] {
  return memoryTransports(worldSize).map((transport, from) => {
    const send = transport.send.bind(transport);
    let count = 0;
    const faulty: Transport = Object.assign(transport, {
      send: (to: number, head: Head, payload: Uint8Array, inPlace: boolean) => {
        const copy = new Head(head.bytes.slice().buffer), bytes = payload.slice();
        pass({ from, to, count: ++count }, () => send(to, copy, bytes, inPlace));
      },
    });
    return new TransportGroup(faulty, { chunkBytes: 64, smallBytes: 0 });
  });
}

Deno.test("frames that come twice change no result, also where they are empty", async () => {
  const groups = groupsWith(3, (_, send) => {
    send();
    send();
  });
  const lengths = [0, 3, 0];
  for (let round = 0; round < 3; round++) {
    const gathered = await Promise.all(groups.map((group) => group.allGather(new Uint8Array(lengths[group.rank]))));
    for (const all of gathered) assert.deepEqual(all.map(({ length }) => length), lengths);
    const sums = await Promise.all(groups.map((group) => group.allReduce(new Float32Array(50).fill(group.rank + 1))));
    for (const sum of sums) assert.deepEqual(sum, new Float32Array(50).fill(6));
  }
  await leave(groups);
});

Deno.test("a frame that is lost between others ends the collective on all ranks, and says between whom", async () => {
  const groups = groupsWith(3, ({ from, count }, send) => {
    if (from !== 1 || count !== 2) send();
  });
  const calls = await Promise.allSettled(groups.map((group) => group.allReduce(new Float32Array(200).fill(1))));
  const [zero, one, two] = calls.map((call) => (call as PromiseRejectedResult).reason);
  assert.match(String(two), /ConnectionLostError: 1 message from rank 1 to rank 2 got lost before or in allReduce/);
  for (const error of [zero, one]) assert.match(String(error), /RankFailedError: rank 2 failed.*ConnectionLostError/);
  await leave(groups);
});

Deno.test("frames that overtake each other are an error and never a wrong sum", async () => {
  let held: (() => void) | undefined;
  const groups = groupsWith(2, ({ from, count }, send) => {
    if (from === 0 && count === 1) held = send;
    else {
      send();
      held?.();
      held = undefined;
    }
  });
  const calls = await Promise.allSettled(groups.map((group) => group.allReduce(new Float32Array(200).fill(1))));
  assert.deepEqual(calls.map(({ status }) => status), ["rejected", "rejected"]);
  await leave(groups);
});

Deno.test("a rank that sends without end ahead of another fills no memory: it is an error that names it", async () => {
  const [mine, theirs] = memoryTransports(2);
  const group = new TransportGroup(mine, { maxEarlyBytes: 10_000 });
  const head = new Head().stamp(1, 0, 0n);
  for (let number = 1; number <= 20; number++) {
    head.sign(1, 2, { kind: "barrier", dtype: "none", op: "none", root: 0, count: 0 });
    head.number = number;
    head.step = number;
    theirs.send(0, head, new Uint8Array(0), false);
  }
  await assert.rejects(group.barrier(), { name: "RangeError", message: /rank 1 has sent more than 10000 bytes/ });
  await leave([group]);
  await theirs.close(0);
});

Deno.test("a rank that is a whole collective ahead stays within the limit", async () => {
  const groups = joinMemoryGroup(2, { maxEarlyBytes: 6_000, smallBytes: 0, chunkBytes: 1_000 });
  for (let round = 0; round < 10; round++) {
    const sums = await Promise.all(groups.map((group) => group.allReduce(new Float32Array(1_000).fill(1))));
    for (const sum of sums) assert.equal(sum[999], 2);
  }
  await leave(groups);
});
