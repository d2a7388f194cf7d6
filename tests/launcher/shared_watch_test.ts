import assert from "node:assert/strict";
import type { Observation } from "../../launcher/rank_watch.ts";
import { SharedWatch } from "../../launcher/shared_watch.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";

/** Two hosts with a rank each, and the time, which passes only when it is told to. */
function twoHosts() {
  const store = new MemoryStore();
  let now = 0;
  const clock = { now: () => now, after: () => () => {}, turn: () => Promise.resolve() };
  const [zero, one] = [0, 1].map((node) =>
    new SharedWatch({ store, node, nodes: [0, 1], prefix: "run", heartbeatMs: 10_000, clock })
  );
  return { store, zero, one, pass: (ms: number) => void (now += ms) };
}

const waits = (rank: number, idleMs: number): Observation => ({
  ...{ rank, endedMs: 0, stoppedMs: 0, idleMs },
  activity: { joined: true, progress: 1, collective: { kind: "allReduce", sequence: 5, waitsFor: 1 - rank } },
});
const exited: Observation = { ...waits(1, 0), exitCode: 0, activity: { joined: true, progress: 9 } };

Deno.test("a rank that another host's waits for is left when it has been gone for 3 s, and newer words say it again", async () => {
  const { zero, one, pass } = twoHosts();
  zero.observe([waits(0, 3_000)]);
  one.observe([exited]);
  for (const watch of [zero, one]) await watch.tell();
  assert.equal(await zero.judge(), undefined, "it has just ended");
  pass(3_000);
  for (const watch of [zero, one]) await watch.tell();
  assert.equal(await zero.judge(), undefined, "it is seen for the first time");
  assert.equal(await zero.judge(), undefined, "in the same words");
  await zero.tell();
  assert.equal(await zero.judge(), undefined, "one host has said nothing newer");
  await one.tell();
  const { rank, how } = (await zero.judge())!;
  assert.deepEqual([rank, how], [1, "left"]);
});

Deno.test("a rank whose message has come in the meantime clears the other of suspicion", async () => {
  const { zero, one, pass } = twoHosts();
  zero.observe([waits(0, 3_000)]);
  one.observe([exited]);
  pass(3_000);
  for (const watch of [zero, one]) await watch.tell();
  assert.equal(await zero.judge(), undefined);
  zero.observe([waits(0, 100)]);
  for (const watch of [zero, one]) await watch.tell();
  assert.equal(await zero.judge(), undefined);
  zero.observe([waits(0, 3_000)]);
  for (const watch of [zero, one]) await watch.tell();
  assert.equal(await zero.judge(), undefined, "the first time again");
});

Deno.test("a connection is lost when the ranks of all hosts have stood still for the heartbeat's timeout", async () => {
  const { zero, one } = twoHosts();
  const look = async (...idleMs: number[]) => {
    zero.observe([waits(0, idleMs[0])]);
    one.observe([waits(1, idleMs[1])]);
    for (const watch of [zero, one]) await watch.tell();
    return await zero.judge();
  };
  for (let time = 0; time < 3; time++) assert.equal(await look(20_000, 9_999), undefined);
  assert.equal(await look(20_000, 10_000), undefined, "seen for the first time");
  assert.equal((await look(20_000, 10_000))?.how, "cut off");
  assert.equal(await look(20_000, 0), undefined, "one computes");
});

Deno.test("while the ranks get on nothing is told, and what was told before is taken back", async () => {
  const { store, zero } = twoHosts();
  zero.observe([waits(0, 100)]);
  await zero.tell();
  assert.equal(await store.get("run/seen/0"), undefined);
  zero.observe([waits(0, 2_000)]);
  await zero.tell();
  const told = async () => JSON.parse(new TextDecoder().decode(await store.get("run/seen/0"))).ranks.length;
  assert.equal(await told(), 1);
  zero.observe([waits(0, 0)]);
  await zero.tell();
  assert.equal(await told(), 0);
});
