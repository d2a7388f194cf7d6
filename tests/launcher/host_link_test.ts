import assert from "node:assert/strict";
import { HostLink } from "../../launcher/host_link.ts";
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
    (_, nodeRank) => new HostLink({ store: shared, nodeRank, numNodes: count, heartbeatMs, host: `host${nodeRank}` }),
  );
  return { store, all };
}

async function end(all: HostLink[]): Promise<void> {
  await Promise.all(all.map((link) => link[Symbol.asyncDispose]()));
}

Deno.test("hosts whose ranks all finished come to the same end", async () => {
  const { all } = links(3);
  const generations = all.map((link) => link.begin(0));
  const outcomes = await Promise.all(generations.map((one) => one.settle(FINISHED)));
  for (const { exitCode, category } of outcomes) assert.deepEqual([exitCode, category], [0, "finished"]);
  await end(all);
});

Deno.test("a failure on one host is told to the others, and is the cause on all", async () => {
  const { all } = links(2);
  const [zero, one] = all.map((link) => link.begin(0));
  await one.tell("rank 3 was killed");
  assert.equal(await zero.failedElsewhere, "rank 3 was killed");
  const elsewhere: Outcome = { exitCode: 69, category: "infrastructure" };
  const outcomes = await Promise.all([zero.settle(elsewhere), one.settle(failed(3))]);
  for (const { exitCode, cause } of outcomes) assert.deepEqual([exitCode, cause?.rank], [1, 3]);
  await end(all);
});

Deno.test("of failures on several hosts the one that is no echo is the cause", async () => {
  const { all } = links(2);
  const [zero, one] = all.map((link) => link.begin(0));
  const outcomes = await Promise.all([zero.settle(failed(0, "RankFailedError")), one.settle(failed(3))]);
  assert.deepEqual(outcomes.map(({ cause }) => cause?.rank), [3, 3]);
  await end(all);
});

Deno.test("generations do not hear of each other", async () => {
  const { all } = links(2);
  const first = all.map((link) => link.begin(0));
  await first[1].tell("rank 3 was killed");
  await Promise.all(first.map((one) => one.settle(failed(3))));
  const second = all.map((link) => link.begin(1));
  const outcomes = await Promise.all(second.map((one) => one.settle(FINISHED)));
  assert.deepEqual(outcomes.map(({ exitCode }) => exitCode), [0, 0]);
  await end(all);
});

Deno.test("a host that does not show that it lives is lost, and the run ends for that", async () => {
  const { all, store } = links(2, 40);
  const zero = all[0].begin(0);
  // The other lived once.
  await store.add("launcher/0/alive/1", 1);
  assert.equal(await zero.failedElsewhere, "the host with node rank 1 does not answer any more");
  const { exitCode, category } = await zero.settle(failed(0, "RankFailedError"));
  assert.deepEqual([exitCode, category], [69, "infrastructure"]);
  await all[0][Symbol.asyncDispose]();
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
  const link = new HostLink({ store: silent, nodeRank: 1, numNodes: 2, heartbeatMs: 40 });
  const generation = link.begin(0);
  assert.match(await generation.failedElsewhere, /node rank 0 does not answer/);
  assert.equal((await generation.settle(FINISHED)).exitCode, 69);
  await link[Symbol.asyncDispose]();
});
