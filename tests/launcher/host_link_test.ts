import assert from "node:assert/strict";
import { differenceOf } from "../../launcher/host_facts.ts";
import { HostLink } from "../../launcher/host_link.ts";
import { toJsonBytes } from "../../launcher/json_bytes.ts";
import type { FailureCause, Outcome } from "../../launcher/outcome.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import type { Store } from "../../runtime/comm/store.ts";

const FINISHED: Outcome = { exitCode: 0, category: "finished" };
const failed = (rank: number, name = "Error"): Outcome & { cause: FailureCause } => ({
  ...{ exitCode: 1, category: "rank" },
  cause: { rank, how: "failed", exitCode: 1, error: { rank, name, message: "m", stack: "s", time: 0 } },
});

/** Links that share a store, which none of them closes. */
function links(count: number, heartbeatMs = 60_000) {
  const store = new MemoryStore();
  const shared: Store = new Proxy(store, {
    get(target, name) {
      if (name === Symbol.asyncDispose) return () => Promise.resolve();
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const all = Array.from(
    { length: count },
    (_, nodeRank) =>
      new HostLink({
        ...{
          store: shared,
          nodeRank,
          numNodes: count,
          localWorldSize: 2,
          heartbeatMs,
          meetMs: 60_000,
          host: `host${nodeRank}`,
        },
      }),
  );
  return { store, all };
}

/** Begins a generation in which all take part. */
function begin(all: HostLink[], generation = 0) {
  const nodes = all.map((_, node) => node);
  return all.map((link) => link.begin({ generation, nodes }));
}

async function end(all: HostLink[]): Promise<void> {
  await Promise.all(all.map((link) => link[Symbol.asyncDispose]()));
}

Deno.test("hosts whose ranks all finished come to the same end", async () => {
  const { all } = links(3);
  const generations = begin(all);
  const outcomes = await Promise.all(generations.map((one) => one.settle(FINISHED)));
  for (const { exitCode, category } of outcomes) assert.deepEqual([exitCode, category], [0, "finished"]);
  await end(all);
});

Deno.test("a failure on one host is told to the others, and is the cause on all", async () => {
  const { all } = links(2);
  const [zero, one] = begin(all);
  await one.tell("rank 3 was killed");
  assert.equal(await zero.failedElsewhere, "rank 3 was killed");
  const elsewhere: Outcome = { exitCode: 69, category: "infrastructure" };
  const outcomes = await Promise.all([zero.settle(elsewhere), one.settle(failed(3))]);
  for (const { exitCode, cause } of outcomes) assert.deepEqual([exitCode, cause?.rank], [1, 3]);
  await end(all);
});

Deno.test("of failures on several hosts the one that is no echo is the cause", async () => {
  const { all } = links(2);
  const [zero, one] = begin(all);
  const outcomes = await Promise.all([zero.settle(failed(0, "RankFailedError")), one.settle(failed(3))]);
  assert.deepEqual(outcomes.map(({ cause }) => cause?.rank), [3, 3]);
  await end(all);
});

Deno.test("a rank that exited with 0 while one of another host waits for it is found, and is the cause on all hosts", async () => {
  const { all } = links(2);
  const meetings = await Promise.all(all.map((link) => link.meet(0)));
  const [zero, one] = all.map((link, i) => link.begin(meetings[i]));
  const activity = { joined: true, progress: 1, step: 7, collective: { kind: "allReduce", sequence: 7, waitsFor: 2 } };
  const look = { endedMs: 0, stoppedMs: 0, idleMs: 5_000, activity };
  zero.observe([0, 1].map((rank) => ({ ...look, rank })));
  // Its launcher has nothing left to look at.
  one.observe([2, 3].map((rank) => ({ ...look, rank, exitCode: 0, endedMs: 4_000 })));
  const words = "rank 2 exited with code 0 while the others waited for it";
  const outcomes = [
    one.settle(FINISHED),
    zero.failedElsewhere.then((said) => {
      assert.equal(said, words);
      return zero.settle(failed(0, "RankFailedError"));
    }),
  ];
  for (const { exitCode, category, cause } of await Promise.all(outcomes)) {
    assert.deepEqual([exitCode, category], [1, "rank"]);
    assert.deepEqual([cause?.rank, cause?.how, cause?.host, cause?.activity?.step], [2, "left", "host1", 7]);
  }
  await end(all);
});

Deno.test("generations do not hear of each other", async () => {
  const { all } = links(2);
  const first = begin(all);
  await first[1].tell("rank 3 was killed");
  await Promise.all(first.map((one) => one.settle(failed(3))));
  const second = begin(all, 1);
  const outcomes = await Promise.all(second.map((one) => one.settle(FINISHED)));
  assert.deepEqual(outcomes.map(({ exitCode }) => exitCode), [0, 0]);
  await end(all);
});

Deno.test("a host that does not show that it lives is lost, and the run ends for that", async () => {
  const { all, store } = links(2, 40);
  const zero = all[0].begin({ generation: 0, nodes: [0, 1] });
  // The other lived once.
  await store.add("launcher/0/alive/1", 1);
  assert.equal(await zero.failedElsewhere, "the host with node rank 1 (ranks 2 to 3) does not answer any more");
  const { exitCode, category } = await zero.settle(failed(0, "RankFailedError"));
  assert.deepEqual([exitCode, category], [69, "infrastructure"]);
  await all[0][Symbol.asyncDispose]();
});

Deno.test("a host that is lost after another failure was told does not keep the others from coming to an end", async () => {
  const { all, store } = links(2, 40);
  const zero = all[0].begin({ generation: 0, nodes: [0, 1] });
  await store.add("launcher/0/alive/1", 1);
  await zero.tell("rank 0 was killed");
  const { exitCode, category } = await zero.settle(failed(0));
  assert.deepEqual([exitCode, category], [69, "infrastructure"]);
  await all[0][Symbol.asyncDispose]();
});

Deno.test("a host that was lost and meets the others again takes part like any", async () => {
  const { all, store } = links(2, 40);
  const zero = all[0].begin({ generation: 0, nodes: [0, 1] });
  await store.add("launcher/0/alive/1", 1);
  await zero.failedElsewhere;
  await zero.settle(failed(0, "RankFailedError"));
  const meetings = await Promise.all(all.map((link) => link.meet(1)));
  const outcomes = await Promise.all(all.map((link, i) => link.begin(meetings[i]).settle(FINISHED)));
  assert.deepEqual(outcomes.map(({ exitCode }) => exitCode), [0, 0]);
  await end(all);
});

Deno.test("a host that hears that it is missed itself ends its part as one that is lost, and does not go on with the others", async () => {
  const store = new MemoryStore();
  const facts = { store, numNodes: 2, minNodes: 1, localWorldSize: 2, heartbeatMs: 60_000, meetMs: 60_000 };
  const one = new HostLink({ ...facts, nodeRank: 1 }).begin({ generation: 0, nodes: [0, 1] });
  const message = "the host with node rank 1 (ranks 2 to 3) does not answer any more";
  await store.set("launcher/0/failed", toJsonBytes({ node: 0, lost: 1, message }));
  assert.equal(await one.failedElsewhere, message);
  const { exitCode, isRegrouping, lost } = await one.settle({ exitCode: 69, category: "infrastructure" });
  assert.deepEqual([exitCode, isRegrouping, lost], [69, false, message]);
});

Deno.test("a generation ends while the store does not take what a host sees of its ranks", async () => {
  const asked = Promise.withResolvers<void>();
  const store = new Proxy(new MemoryStore(), {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "set") return typeof value === "function" ? value.bind(target) : value;
      return (key: string, bytes: Uint8Array) => {
        if (!key.includes("/seen/")) return target.set(key, bytes);
        asked.resolve();
        return new Promise(() => {});
      };
    },
  });
  const heartbeatMs = 20_000, began = performance.now();
  const facts = { store, numNodes: 2, localWorldSize: 1, heartbeatMs, meetMs: 60_000 };
  const one = new HostLink({ ...facts, nodeRank: 1 }).begin({ generation: 0, nodes: [0, 1] });
  const activity = { joined: true, progress: 1, step: 7, collective: { kind: "allReduce", sequence: 7, waitsFor: 0 } };
  one.observe([{ rank: 1, endedMs: 0, stoppedMs: 0, idleMs: 5_000, activity }]);
  await asked.promise;
  await store.set("launcher/0/failed", toJsonBytes({ node: 0, lost: 1, message: "gone" }));
  await one.failedElsewhere;
  await one.settle({ exitCode: 69, category: "infrastructure" });
  assert.ok(performance.now() - began < heartbeatMs);
});

Deno.test("a store that does not answer means that the host with it is lost", async () => {
  const silent = new Proxy(new MemoryStore(), {
    get(target, name) {
      if (name === Symbol.asyncDispose) return () => Promise.resolve();
      return ["add", "set", "get", "compareAndSet"].includes(String(name))
        ? () => new Promise(() => {})
        : (Reflect.get(target, name) as () => unknown).bind(target);
    },
  });
  const facts = { nodeRank: 1, numNodes: 2, localWorldSize: 2, heartbeatMs: 40, meetMs: 40 };
  const link = new HostLink({ store: silent, ...facts });
  const generation = link.begin({ generation: 0, nodes: [0, 1] });
  assert.match(await generation.failedElsewhere, /node rank 0 \(ranks 0 to 1\) does not answer/);
  assert.equal((await generation.settle(FINISHED)).exitCode, 69);
  await link[Symbol.asyncDispose]();
});

Deno.test("node 0, whose machine is so busy that its own store answers late, is not lost", async () => {
  const { all, store } = links(2, 40);
  let asked = 0;
  const late = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "add") return typeof value === "function" ? value.bind(target) : value;
      return (key: string, amount: number) => asked++ === 0 ? new Promise(() => {}) : target.add(key, amount);
    },
  });
  const zero = new HostLink({
    store: late,
    nodeRank: 0,
    numNodes: 2,
    localWorldSize: 2,
    heartbeatMs: 40,
    meetMs: 60_000,
  });
  const generations = [zero, all[1]].map((link) => link.begin({ generation: 0, nodes: [0, 1] }));
  // It has shown that it lives after all.
  await store.wait(["launcher/0/alive/0"], { timeoutMs: 60_000 });
  const outcomes = await Promise.all(generations.map((one) => one.settle(FINISHED)));
  assert.deepEqual(outcomes.map(({ exitCode }) => exitCode), [0, 0]);
  await end([all[1]]);
});

Deno.test("hosts meet in any order, and those with another number of ranks are told so", async () => {
  const { all } = links(3);
  const meetings = await Promise.all([all[2].meet(0), all[0].meet(0), all[1].meet(0)]);
  for (const meeting of meetings) assert.deepEqual(meeting, { generation: 0, nodes: [0, 1, 2] });

  const store = new MemoryStore();
  const facts = { store, numNodes: 2, heartbeatMs: 60_000, meetMs: 60_000 };
  const two = new HostLink({ ...facts, nodeRank: 0, localWorldSize: 2 });
  const three = new HostLink({ ...facts, nodeRank: 1, localWorldSize: 3 });
  const met = [two.meet(0), three.meet(0)];
  const why = /node rank 1 .*has 3 ranks, that with node rank 0 .*has 2.*same --devices/;
  await Promise.all(met.map((one) => assert.rejects(one, why)));
});

Deno.test("a host with another script or option keeps all from starting, and is told from the others by name", async () => {
  const store = new MemoryStore();
  const all = { store, numNodes: 3, localWorldSize: 2, heartbeatMs: 60_000, meetMs: 60_000 };
  const facts = { "the source of train.ts": "0a1b", "--precision": "32-true", Weft: "77" };
  const links = [facts, facts, { ...facts, "the source of train.ts": "9f9f", "--precision": "16-mixed" }].map(
    (facts, nodeRank) => new HostLink({ ...all, nodeRank, facts, host: `host${nodeRank}` }),
  );
  const why = "the host with node rank 2 (host2) differs from that with node rank 0 (host0), which says this: " +
    'the source of train.ts ("9f9f" there, "0a1b" here), --precision ("16-mixed" there, "32-true" here). ' +
    "All hosts of a run need the same";
  await Promise.all(links.map((link) => assert.rejects(link.meet(0), { name: "RangeError", message: why })));
});

Deno.test("with a range of hosts, one that differs is refused, and the others neither wait for it nor stop", async () => {
  const store = new MemoryStore();
  const all = { store, numNodes: 2, minNodes: 1, localWorldSize: 1, heartbeatMs: 40, meetMs: 60_000, joinMs: 50 };
  const zero = new HostLink({ ...all, nodeRank: 0, facts: { Weft: "77" } });
  const other = () => new HostLink({ ...all, nodeRank: 1, facts: { Weft: "78" } });
  // Before the run begins, and while it goes on.
  const [alone] = await Promise.all([zero.meet(0), assert.rejects(other().meet(0), /Weft \("78" there, "77" here\)/)]);
  assert.deepEqual(alone, { generation: 0, nodes: [0] });
  const generation = zero.begin(alone);
  await assert.rejects(other().meet(0), /Weft \("78" there, "77" here\)/);
  // The right one joins afterwards: what its node was told before counts no more.
  const joining = new HostLink({ ...all, nodeRank: 1, facts: { Weft: "77" } }).meet(0);
  assert.equal(await generation.regroup, "the host with node rank 1 joins");
  await generation.settle({ exitCode: 143, category: "stopped" });
  const both = { generation: 1, nodes: [0, 1] };
  assert.deepEqual(await Promise.all([zero.meet(1), joining]), [both, both]);
});

Deno.test("hosts that do not come are named, on all that did", async () => {
  const store = new MemoryStore();
  const facts = { store, numNodes: 4, localWorldSize: 1, heartbeatMs: 60_000, meetMs: 100 };
  const met = [0, 2].map((nodeRank) => new HostLink({ ...facts, nodeRank }).meet(0));
  const why = /2 of 4 hosts did not come within 0.1 s: those with node rank 1, 3/;
  await Promise.all(met.map((one) => assert.rejects(one, why)));
});

Deno.test("with a range of hosts, one that comes later joins in the next generation", async () => {
  const store = new MemoryStore();
  const facts = { store, numNodes: 2, minNodes: 1, localWorldSize: 1, heartbeatMs: 60, meetMs: 60_000, joinMs: 50 };
  const zero = new HostLink({ ...facts, nodeRank: 0 }), one = new HostLink({ ...facts, nodeRank: 1 });
  const alone = await zero.meet(0);
  assert.deepEqual(alone, { generation: 0, nodes: [0] });
  const generation = zero.begin(alone);
  const joining = one.meet(0);
  assert.equal(await generation.regroup, "the host with node rank 1 joins");
  const settled = await generation.settle({ exitCode: 143, category: "stopped", joins: true });
  assert.equal(settled.isRegrouping, true);
  const both = { generation: 1, nodes: [0, 1] };
  assert.deepEqual(await Promise.all([zero.meet(1), joining]), [both, both]);
});

Deno.test("hosts agree on whether one joins by what their ranks ended for, also if it asks when some have ended by themselves", async () => {
  for (const joins of [[false, false], [false, true]]) {
    const { all } = links(2);
    const both = begin(all);
    const outcomes = await Promise.all(
      both.map((link, node) => link.settle({ exitCode: 0, category: "finished", joins: joins[node] })),
    );
    assert.deepEqual(outcomes.map(({ isRegrouping }) => isRegrouping), [joins[1], joins[1]]);
    await end(all);
  }
});

Deno.test("a host that is gone before it first shows that it lives is lost, too", async () => {
  const { all } = links(2, 40);
  const zero = all[0].begin({ generation: 0, nodes: [0, 1] });
  assert.match(await zero.failedElsewhere, /node rank 1 .*does not answer any more/);
  await zero.settle(failed(0, "RankFailedError"));
  await all[0][Symbol.asyncDispose]();
});

Deno.test("a stop on one host is a stop on all, whatever the ranks that were told of it threw", async () => {
  const { all } = links(2);
  const [zero, one] = begin(all);
  const stopped: Outcome & { signal: string } = { exitCode: 143, category: "stopped", signal: "SIGTERM" };
  const outcomes = await Promise.all([zero.settle(failed(0, "RankFailedError")), one.settle(stopped)]);
  for (const { exitCode, category, cause } of outcomes) {
    assert.deepEqual([exitCode, category, cause], [143, "stopped", undefined]);
  }
  await end(all);
});

Deno.test("a fact with the name of something that every object has is like any other", () => {
  assert.equal(differenceOf({}, { valueOf: "x" }), 'valueOf ("x" there, none here)');
});
