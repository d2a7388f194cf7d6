import assert from "node:assert/strict";
import { HostLink } from "../../launcher/host_link.ts";
import { runGenerations } from "../../launcher/run_generations.ts";
import { SignalLog } from "../../launcher/signal_log.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";

Deno.test("the report of every host names the rank that failed first, also where another only followed", async () => {
  const store = new MemoryStore();
  const runOn = (nodeRank: number) => {
    const error = {
      rank: nodeRank,
      message: "m",
      stack: "s",
      time: 0,
      name: nodeRank === 0 ? "RangeError" : "RankFailedError",
    };
    const cause = { rank: nodeRank, how: "failed", exitCode: 1, error } as const;
    return runGenerations({
      ...{ firstGeneration: 0, nodeRank, maxRestarts: 0, restartDelayMs: 0, signals: new SignalLog() },
      isOver: () => false,
      say: () => {},
      connect: () =>
        Promise.resolve(
          new HostLink({ store, nodeRank, numNodes: 2, localWorldSize: 1, heartbeatMs: 60_000, meetMs: 60_000 }),
        ),
      run: () =>
        Promise.resolve({
          ...{ exitCode: 1, category: "rank", cause, failure: { rank: nodeRank, how: "failed", exitCode: 1, error } },
          ...{ ranks: [], report: () => "" },
        }),
    });
  };
  const runs = await Promise.all([runOn(0), runOn(1)]);
  assert.deepEqual(runs.map(({ result }) => result.failure?.rank), [0, 0]);
});
