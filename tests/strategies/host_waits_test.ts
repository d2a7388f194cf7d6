import assert from "node:assert/strict";
import type { BetweenHosts } from "../../runtime/comm/process_group.ts";
import { describeWay, HostWaits } from "../../strategies/host_waits.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";

/** A step of 100 ms, of which this rank waits 60 for gradients that are 50 between hosts. */
const COST = { stepSeconds: 0.1, waitSeconds: 0.06, seconds: 0.05, bytes: 400_000, hops: 2 };
const speed = (roundTripMs: number, bytesPerSecond: number, host = "node8") => ({ host, roundTripMs, bytesPerSecond });

Deno.test("the line says how much of a step it is, how far and how fast the other host is, and that latency limits", () => {
  assert.equal(
    describeWay(COST, [speed(41.3, 1e8)]),
    "45 % of a step (0.1 s) is the all-reduce between hosts: 41 ms there and back to node8, 0.4 MB a step at 100 MB/s. " +
      "Latency limits it: accumulate gradients over several batches, average weights every few steps (LocalSGDStrategy), or have fewer hosts with more ranks",
  );
});

Deno.test("where bytes take longer than the way, bandwidth limits; of several hosts the slowest is told of", () => {
  const line = describeWay(COST, [speed(1, 1e8, "near"), speed(2, 1e7, "slow"), speed(20, 1e9, "far")]);
  assert.match(
    line!,
    /^42 % of a step .* 2 ms there and back to slow, 0\.4 MB a step at 10 MB\/s\. Bandwidth limits it/,
  );
});

Deno.test("time that the way does not explain is a slow rank's, which is another report", () => {
  assert.equal(describeWay(COST, [speed(0.2, 1e9)]), undefined);
  assert.equal(
    describeWay({ ...COST, waitSeconds: 0.005 }, [speed(41, 1e8)]),
    undefined,
    "it is hidden by the computing",
  );
});

/** A run of steps that take 100 ms each, and what its rank 0 says. */
function run(per: { seconds: number; waitedMs: number }) {
  const traffic = { seconds: 0, bytes: 0, hops: 0 },
    flags = new RankFlags(),
    lines: string[] = [],
    measured: number[] = [];
  let now = 0;
  const between: BetweenHosts = {
    traffic,
    measure: (bytes) => {
      measured.push(bytes);
      return Promise.resolve([speed(40, 1e8)]);
    },
  };
  const waits = new HostWaits({ between, flags, isZero: true, now: () => now, say: (line) => lines.push(line) });
  const step = async () => {
    now += 100;
    traffic.seconds += per.seconds;
    traffic.bytes += 400_000;
    traffic.hops += 2;
    // The flags travel with the gradients.
    const word = new Float32Array(RankFlags.length);
    flags.begin();
    flags.write(word);
    flags.read(word);
    Object.defineProperty(flags.waits, "own", { value: now / 100 * per.waitedMs / 1000, configurable: true });
    await waits.stepped();
  };
  return { step, lines, measured };
}

Deno.test("rank 0 asks all ranks to measure once the way between hosts is a considerable part of some steps, and speaks once", async () => {
  const { step, lines, measured } = run({ seconds: 0.05, waitedMs: 60 });
  for (let count = 0; count < 16; count++) await step();
  assert.deepEqual([lines, measured], [[], []]);
  for (let count = 0; count < 100; count++) await step();
  assert.deepEqual(measured, [400_000]);
  assert.equal(lines.length, 1);
  assert.match(
    lines[0],
    /^44 % of a step .* 40 ms there and back to node8, 0\.4 MB a step at 100 MB\/s\. Latency limits it/,
  );
});

Deno.test("where the way is short, or hidden behind computing, nobody measures", async () => {
  for (const per of [{ seconds: 0.005, waitedMs: 60 }, { seconds: 0.05, waitedMs: 5 }]) {
    const { step, lines, measured } = run(per);
    for (let count = 0; count < 100; count++) await step();
    assert.deepEqual([lines, measured], [[], []]);
  }
});
