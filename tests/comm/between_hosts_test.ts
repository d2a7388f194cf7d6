import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { joinHosts } from "./hosts_of_ranks.ts";

const HOSTS = [[0, 1], [2, 3], [4]];

Deno.test("rank 0 measures how fast it reaches the other hosts, and the other ranks take part", async () => {
  const { groups } = joinHosts(HOSTS, { hostNames: ["a", "b", "c"], delayMs: 10 });
  const [speeds, ...others] = await Promise.all(groups.map((group) => group.betweenHosts!.measure(50_000)));
  assert.deepEqual(speeds.map(({ host }) => host), ["b", "c"]);
  for (const { roundTripMs, bytesPerSecond } of speeds) {
    // Timers may fire a moment early.
    assert.ok(roundTripMs > 18, `${roundTripMs} ms`);
    assert.ok(bytesPerSecond > 0);
  }
  assert.deepEqual(others, [[], [], [], []]);
  // It leaves nothing behind that another collective would trip over.
  const sums = await Promise.all(groups.map((group) => group.allReduce(new Float32Array([group.rank]))));
  for (const sum of sums) assert.equal(sum[0], 10);
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});

Deno.test("it is counted what a host sends, and how many messages wait for each other", async () => {
  const { groups, traffic } = joinHosts([[0, 1], [2, 3]], { smallBytes: 1024, delayMs: 5 });
  const counted = groups[0].betweenHosts!.traffic;
  await Promise.all(groups.map((group) => group.allReduce(new Float32Array(100))));
  assert.deepEqual([counted.bytes, counted.hops], [400, 1]);
  await Promise.all(groups.map((group) => group.allReduce(new Float32Array(10_000))));
  assert.deepEqual([counted.bytes, counted.hops], [40_400, 3]);
  assert.equal(2 * counted.bytes, traffic.between, "as much as the other host");
  assert.ok(counted.seconds >= 0.01, `${counted.seconds} s`);
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});

Deno.test("ranks of one host have no way between hosts, and one that does not measure with the others is named", async () => {
  const [lonely] = joinMemoryGroup(2);
  assert.equal(lonely.betweenHosts, undefined);
  const { groups } = joinHosts([[0], [1]]);
  const calls = [groups[0].betweenHosts!.measure(1), groups[1].barrier()];
  for (const call of await Promise.allSettled(calls)) {
    assert.ok(call.status === "rejected");
    assert.match(call.reason.message, /rank 0: measureHosts at .*\n.*rank 1: barrier/);
  }
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});
