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

/** Node 0 of two hosts, of which the other meets it once and is gone then. */
async function runWithoutTheOther(options: { minNodes: number; maxRestarts: number; elsewhere?: boolean }) {
  const { minNodes, maxRestarts, elsewhere = true } = options, said: string[] = [];
  const facts = { store: new MemoryStore(), numNodes: 2, minNodes, localWorldSize: 1 };
  const times = { heartbeatMs: 40, meetMs: 300, joinMs: 50 };
  const [zero, one] = [0, 1].map((nodeRank) => new HostLink({ ...facts, ...times, nodeRank, host: `host${nodeRank}` }));
  void one.meet(0);
  const run = await runGenerations({
    ...{ firstGeneration: 0, nodeRank: 0, maxRestarts, restartDelayMs: 0, signals: new SignalLog() },
    isOver: () => false,
    say: (text) => void said.push(text),
    connect: () => Promise.resolve(zero),
    run: async ({ nodes }, { failedElsewhere }) => {
      const report = ({ elsewhere }: { elsewhere?: string }) => elsewhere === undefined ? "" : `weft: ${elsewhere}`;
      const facts = { ranks: [], report, failure: undefined };
      if (nodes.length === 1) return { ...facts, exitCode: 0, category: "finished" };
      if (elsewhere) return { ...facts, exitCode: 69, category: "infrastructure", elsewhere: await failedElsewhere };
      const error = { rank: 0, name: "RankFailedError", message: "m", stack: "s", time: 0 };
      return { ...facts, exitCode: 1, category: "rank", cause: { rank: 0, how: "failed", exitCode: 1, error } };
    },
  });
  await zero[Symbol.asyncDispose]();
  return { ...run, said };
}

const GONE = "the host with node rank 1 (host1, rank 1) does not answer any more";

Deno.test("a run that could not be started again for want of a host tells what failed first, and why it ended", async () => {
  const { result, restarts, earlier } = await runWithoutTheOther({ minNodes: 2, maxRestarts: 1 });
  assert.deepEqual([result.exitCode, result.category, restarts], [69, "infrastructure", 1]);
  assert.match(result.elsewhere ?? "", /1 of 2 hosts did not come within 0.3 s: those with node rank 1/);
  assert.deepEqual(earlier, [{ generation: 0, failure: undefined, message: GONE }]);
});

Deno.test("a run that goes on without a lost host tells that it was lost, and has not restarted", async () => {
  const { result, restarts, earlier } = await runWithoutTheOther({ minNodes: 1, maxRestarts: 0 });
  assert.deepEqual([result.exitCode, restarts], [0, 0]);
  assert.deepEqual(earlier, [{ generation: 0, failure: undefined, message: GONE }]);
});

Deno.test("where the ranks of this host were quicker to fail than a lost host to be found, it is named all the same", async () => {
  const { result, said } = await runWithoutTheOther({ minNodes: 2, maxRestarts: 0, elsewhere: false });
  assert.deepEqual([result.exitCode, result.failure, result.elsewhere], [69, undefined, GONE]);
  assert.deepEqual(said, [`weft: ${GONE}`]);
});
