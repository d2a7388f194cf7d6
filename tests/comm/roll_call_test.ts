import assert from "node:assert/strict";
import { FrameType } from "../../runtime/comm/frame.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { systemClock } from "../../runtime/core/clock.ts";
import { CommTimeoutError } from "../../runtime/core/errors.ts";

Deno.test("a rank may be several collectives ahead of another: nothing that it sends is lost", async () => {
  // Scattered around the ring, an array shorter than the ranks are many leaves rank 1 with nothing to wait for.
  const groups = joinMemoryGroup(4, { smallBytes: 0, collectiveTimeoutMs: 5_000 });
  const run = async (rank: number) => {
    for (let call = 0; call < 2; call++) await groups[rank].reduceScatter(new Float32Array([1]));
    return await groups[rank].broadcast(new Float32Array([rank]), { root: 1 });
  };
  const early = [run(1), run(3)];
  // Rank 3 waits for rank 2 in the first collective, and gets what rank 1 sends in the third.
  for (let turn = 0; turn < 10; turn++) await systemClock.turn();
  const results = await Promise.all([...early, run(2), run(0)]);
  assert.deepEqual(results.map(([value]) => value), [1, 1, 1, 1]);
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});

Deno.test("who waits in vain names the rank that is missing, not one that is done and has left", async () => {
  const groups = joinMemoryGroup(4, { smallBytes: 0 });
  const scatter = (rank: number) => groups[rank].reduceScatter(new Float32Array([1]), { timeoutMs: 300 });
  await scatter(1);
  await groups[1][Symbol.asyncDispose]();
  for (const result of await Promise.allSettled([scatter(0), scatter(3)])) {
    assert.ok(result.status === "rejected" && result.reason instanceof CommTimeoutError, String(result));
    assert.match(result.reason.message, /: not heard from rank 2$/);
  }
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});

Deno.test("ranks that wait in different collectives tell each other where, and all name the rank that is missing", async () => {
  const groups = joinMemoryGroup(4, { smallBytes: 0 });
  const scatter = (rank: number) => groups[rank].reduceScatter(new Float32Array([1]), { timeoutMs: 300 });
  await scatter(1);
  const [one, zero, three] = await Promise.allSettled([groups[1].barrier({ timeoutMs: 300 }), scatter(0), scatter(3)]);
  const message = (result: PromiseSettledResult<unknown>) => String((result as PromiseRejectedResult).reason.message);
  for (const result of [zero, three]) assert.match(message(result), /: not heard from rank 2$/);
  assert.match(
    message(one),
    /not heard from rank 2; ranks 0, 3 still are in collective 1, reduceScatter \(sum\) of 1 float32$/,
  );
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});

Deno.test("ranks that waited long for another ask it once, and say no more in the collectives after that", async () => {
  const frames = [0, 0];
  let asked = () => {};
  const groups = memoryTransports(2).map((transport, rank) => {
    const send = transport.send.bind(transport);
    transport.send = (to, head, payload, inPlace) => {
      frames[rank]++;
      if (head.type === FrameType.report) asked();
      send(to, head, payload, inPlace);
    };
    return new TransportGroup(transport);
  });
  const all = () => Promise.all(groups.map((group) => group.allReduce(new Float32Array([1]))));
  await all();
  const ofOne = [...frames];
  const question = new Promise<void>((resolve) => asked = resolve);
  const early = groups[0].allReduce(new Float32Array([1]));
  await question;
  await Promise.all([early, groups[1].allReduce(new Float32Array([1]))]);
  // The question may be read, and answered, in the collective after the one that it was about.
  for (let call = 0; call < 3; call++) await all();
  const before = [...frames];
  assert.ok(before.every((count, rank) => count <= 5 * ofOne[rank] + 1), `${before}`);
  for (let call = 0; call < 5; call++) await all();
  assert.deepEqual(frames, before.map((count, rank) => count + 5 * ofOne[rank]));
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});
