import assert from "node:assert/strict";
import { Head, HEAD_BYTES } from "../../runtime/comm/frame.ts";
import { openInbox } from "../../runtime/comm/inbox.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { SocketType } from "../../runtime/comm/zmq_socket.ts";
import { ZmqTransport } from "../../runtime/comm/zmq_transport.ts";
import { CollectiveMismatchError, CommTimeoutError, RankFailedError } from "../../runtime/core/errors.ts";

const leave = (groups: ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));

/** What two ranks may disagree about: what the first calls, what the others call, and what the error says of each. */
const MISMATCHES: [
  string,
  (g: ProcessGroup) => Promise<unknown>,
  (g: ProcessGroup) => Promise<unknown>,
  RegExp,
  RegExp,
][] = [
  ["kinds", (g) => g.barrier(), (g) => g.allReduce(new Float32Array(2)), /barrier/, /allReduce \(sum\) of 2 float32/],
  [
    "sizes",
    (g) => g.allReduce(new Float32Array(3)),
    (g) => g.allReduce(new Float32Array(2)),
    /of 3 float32/,
    /of 2 float32/,
  ],
  [
    "large sizes",
    (g) => g.allReduce(new Float32Array(400_000)),
    (g) => g.allReduce(new Float32Array(400_001)),
    /of 400000/,
    /of 400001/,
  ],
  [
    "types",
    (g) => g.allReduce(new Int32Array(2)),
    (g) => g.allReduce(new Float32Array(2)),
    /of 2 int32/,
    /of 2 float32/,
  ],
  [
    "types of what is gathered",
    (g) => g.allGather(new Uint8Array(4)),
    (g) => g.allGather(new Float32Array(1)),
    /uint8/,
    /float32/,
  ],
  [
    "operations",
    (g) => g.allReduce(new Float32Array(2), { op: "max" }),
    (g) => g.allReduce(new Float32Array(2)),
    /\(max\)/,
    /\(sum\)/,
  ],
  [
    "roots",
    (g) => g.broadcastObject(1, { root: 0 }),
    (g) => g.broadcastObject(1, { root: 1 }),
    /\(root 0\)/,
    /\(root 1\)/,
  ],
  [
    "roots, and each waits for the other",
    (g) => g.broadcastObject(1, { root: 1 }),
    (g) => g.broadcastObject(1, { root: 0 }),
    /\(root 1\)/,
    /\(root 0\)/,
  ],
  [
    "gathering and broadcasting, and each waits for the other",
    (g) => g.gatherObjects(1),
    (g) => g.broadcast(new Float32Array(4)),
    /gatherObjects/,
    /broadcast \(root 0\) of 4/,
  ],
  [
    "gathering and scattering",
    (g) => g.gatherObjects(1),
    (g) => g.reduceScatter(new Float32Array(9)),
    /gatherObjects/,
    /reduceScatter/,
  ],
  [
    "what they reduce for",
    (g) => g.allReduce(new Float32Array(2), { purpose: "the gradients" }),
    (g) => g.allReduce(new Float32Array(2), { purpose: "the loss" }),
    /of 2 float32 for the gradients at/,
    /of 2 float32 for the loss at/,
  ],
  [
    "what a broadcast is for, whose root waits for nobody's data",
    (g) => g.broadcastObject(1, { purpose: "the outcome" }),
    (g) => g.broadcastObject(1),
    /broadcastObject \(root 0\) for the outcome at/,
    /broadcastObject \(root 0\) at/,
  ],
];

for (const worldSize of [2, 3, 5]) {
  for (const [what, first, rest, ofFirst, ofRest] of MISMATCHES) {
    Deno.test(`${worldSize} ranks that disagree about ${what} all get an error that says who called what`, async () => {
      const groups = joinMemoryGroup(worldSize);
      await Promise.all(groups.map((group) => group.barrier()));
      const calls = groups.map((group) => group.rank === 0 ? first(group) : rest(group));
      for (const call of await Promise.allSettled(calls)) {
        assert.equal(call.status, "rejected");
        assert.ok(call.reason instanceof CollectiveMismatchError, String(call.reason));
        const [title, zero, one] = call.reason.message.split("\n");
        assert.match(title, /collective 2/);
        assert.match(zero, new RegExp(`rank 0: .*${ofFirst.source}.*exchange_test\\.ts:\\d+`));
        assert.match(one, new RegExp(`rank 1: .*${ofRest.source}.*exchange_test\\.ts:\\d+`));
      }
      await assert.rejects(
        groups[0].barrier(),
        CollectiveMismatchError,
        "a group that disagreed once is of no use any more",
      );
      await leave(groups);
    });
  }
}

Deno.test("a rank that had gone on, because it needed nothing, is told what the others disagree about", async () => {
  const groups = joinMemoryGroup(3, { collectiveTimeoutMs: 10_000, smallBytes: 0 });
  await Promise.all(groups.map((group) => group.barrier()));
  // Around the ring the one element goes from rank 1 by rank 2 to rank 0: rank 1 is done before rank 2 calls something else.
  const scattered = groups[1].reduceScatter(new Float32Array(1));
  const waiting = assert.rejects(groups[0].reduceScatter(new Float32Array(1)), CollectiveMismatchError);
  assert.equal((await scattered).length, 0);
  const next = assert.rejects(groups[1].barrier(), {
    name: "CollectiveMismatchError",
    message: /disagree about collective 2 (.*\n)+.*rank 2: allReduce \(sum\) of 777 float64 at/,
  });
  await assert.rejects(groups[2].allReduce(new Float64Array(777)), CollectiveMismatchError);
  await Promise.all([waiting, next]);
  await leave(groups);
});

Deno.test("a rank that left is named by those who wait for it", async () => {
  const groups = joinMemoryGroup(3);
  await Promise.all(groups.map((group) => group.barrier()));
  await groups[1][Symbol.asyncDispose]();
  for (const group of [groups[0], groups[2]]) {
    await assert.rejects(group.allReduce(new Float32Array(1)), {
      name: "CollectiveMismatchError",
      message: /rank 1 left the process group after 1 collectives.*allReduce/,
    });
  }
  await assert.rejects(groups[1].barrier(), /closed; barrier cannot be called/);
  await leave(groups);
});

Deno.test("an aborted rank ends the others' collectives, waiting and later, with its error", async () => {
  const groups = joinMemoryGroup(3);
  const waiting = groups[0].barrier();
  const failed = groups[1].abort(new RangeError("no more rows"));
  const check = (error: Error) =>
    error instanceof RankFailedError && error.facts.rank === 1 &&
    /rank 1 failed.*RangeError: no more rows/.test(error.message);
  await assert.rejects(waiting, check);
  await failed;
  await assert.rejects(groups[0].barrier(), check);
  await assert.rejects(groups[2].allReduce(new Float32Array(1)), check);
  await leave(groups);
});

Deno.test("a time limit names the collective and the ranks that did not come", async () => {
  const groups = joinMemoryGroup(4);
  const calls = [0, 1, 3].map((rank) => groups[rank].barrier({ timeoutMs: 20 }));
  for (const call of await Promise.allSettled(calls)) {
    assert.ok(call.status === "rejected" && call.reason instanceof CommTimeoutError, String(call));
    assert.match(call.reason.message, /waited 0\.02 s in barrier, called at .*exchange_test.*: not heard from rank 2/);
    assert.equal(call.reason.operation, "barrier");
  }
  await leave(groups);
});

Deno.test("a signal ends a collective with its reason, and the other ranks learn of it", async () => {
  const groups = joinMemoryGroup(2);
  const abort = new AbortController();
  const call = groups[0].barrier({ signal: abort.signal });
  const reason = new Error("stop now");
  queueMicrotask(() => abort.abort(reason));
  await assert.rejects(call, reason);
  // Rank 0 had come to the first barrier, so that one may pass.
  await groups[1].barrier().catch(() => {});
  await assert.rejects(groups[1].barrier(), { name: "RankFailedError", message: /stop now/ });
  await leave(groups);
});

Deno.test("closing a group ends what waits in it", async () => {
  const groups = joinMemoryGroup(2);
  const call = assert.rejects(groups[0].barrier(), /was closed while/);
  const queued = assert.rejects(groups[0].barrier(), /closed/);
  await new Promise((resolve) => setTimeout(resolve, 0));
  await groups[0][Symbol.asyncDispose]();
  await Promise.all([call, queued]);
  await leave(groups);
});

Deno.test("wrong arguments are refused before anything is sent", async () => {
  const groups = joinMemoryGroup(2);
  const [group] = groups;
  assert.throws(() => group.allReduce(new Float32Array(1), { op: "avg" as "sum" }), {
    name: "TypeError",
    message: /"avg".*sum, mean/,
  });
  assert.throws(() => group.allReduce([1] as unknown as Float32Array), { name: "TypeError", message: /not Array/ });
  assert.throws(() => group.allReduce(new Uint8Array(1) as unknown as Float32Array), TypeError);
  assert.throws(() => group.allGather(new Int8Array(1) as unknown as Uint8Array), TypeError);
  assert.throws(() => group.broadcast(new Float32Array(1), { root: 2 }), { name: "RangeError", message: /0 to 1/ });
  assert.throws(() => group.barrier({ timeoutMs: NaN }), RangeError);
  await assert.rejects(group.broadcastObject(() => 1), { name: "TypeError", message: /value is a function/ });
  await Promise.all(groups.map((group) => group.barrier()));
  await leave(groups);
});

/** Two ranks over sockets with a token that the test knows, and a socket of somebody else at rank 0's inbox. */
async function withStranger(): Promise<{ groups: ProcessGroup[]; send: (...parts: Uint8Array[]) => void }> {
  const inboxes = [await openInbox({ transport: "tcp" }), await openInbox({ transport: "tcp" })];
  const endpoints = inboxes.map((inbox) => inbox.endpoints.loopback!);
  const stranger = inboxes[1].context.socket(SocketType.PUSH);
  stranger.connect(endpoints[0]);
  const groups = inboxes.map((inbox, rank) =>
    new TransportGroup(new ZmqTransport(inbox.context, inbox.socket, { rank, endpoints, firstWaitUs: 0 }), {
      generation: 3,
      token: 77n,
    })
  );
  const send = (...parts: Uint8Array[]) => parts.forEach((part, i) => stranger.send(part, i < parts.length - 1));
  return { groups, send };
}

function frame(token: bigint, generation: number, payload: Uint8Array): Uint8Array {
  const head = new Head().stamp(1, generation, token);
  head.sign(1, 1, { kind: "allReduce", dtype: "float32", op: "sum", root: 0, count: 1 });
  head.length = payload.length;
  head.number = 1;
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  bytes.set(head.bytes);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

Deno.test("garbage, strangers' frames and frames of an earlier generation change no result", async () => {
  const { groups, send } = await withStranger();
  const poison = new Uint8Array(new Float32Array([1000]).buffer);
  for (let length = 0; length < 200; length += 7) send(crypto.getRandomValues(new Uint8Array(length)));
  send(new Uint8Array(100_000));
  send(new Uint8Array(10), new Uint8Array(20), new Uint8Array(30));
  send(frame(76n, 3, poison));
  send(frame(77n, 2, poison));
  for (let i = 1; i <= 20; i++) {
    const sums = await Promise.all(groups.map((group) => group.allReduce(new Float32Array([i + group.rank]))));
    assert.deepEqual(sums.map((sum) => sum[0]), [2 * i + 1, 2 * i + 1]);
  }
  await leave(groups);
});

Deno.test("a frame of the group that is cut short ends the collective on both ranks", async () => {
  const { groups, send } = await withStranger();
  send(frame(77n, 3, new Uint8Array(4)).subarray(0, HEAD_BYTES + 2));
  await assert.rejects(groups[0].allReduce(new Float32Array(1)), /frame from rank 1.*damaged: it has 2 of 4 bytes/);
  await assert.rejects(groups[1].barrier(), { name: "RankFailedError", message: /damaged/ });
  await leave(groups);
});
