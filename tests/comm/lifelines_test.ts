import assert from "node:assert/strict";
import { RunKey } from "../../runtime/core/run_key.ts";
import { curveKeys } from "../../runtime/comm/curve_keys.ts";
import { LifelineWatch } from "../../runtime/comm/lifeline_watch.ts";
import { Lifelines, type LifelinesOptions, type LostRank } from "../../runtime/comm/lifelines.ts";

/** Ranks that are connected with each other. */
async function ranksOf(worldSize: number, options: Partial<LifelinesOptions>): Promise<Lifelines[]> {
  const ranks = await Promise.all(
    Array.from({ length: worldSize }, () => Lifelines.open({ heartbeatMs: 60_000, worldSize, ...options })),
  );
  for (const [mine, one] of ranks.entries()) {
    one.connect(ranks.map(({ endpoints }, rank) => {
      const endpoint = options.host ? endpoints.network : endpoints.ipc ?? endpoints.loopback;
      return rank === mine ? undefined : { endpoint: endpoint!, host: `node${rank}` };
    }));
  }
  await Promise.all(ranks.map((rank) => rank.met()));
  return ranks;
}

/** Asks again and again who is lost, until somebody is. */
async function lostOf(lines: Lifelines): Promise<LostRank[]> {
  for (;;) {
    const lost = lines.lost();
    if (lost.length > 0) return lost;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const KEY = await curveKeys(RunKey.random());
for (
  const [way, options] of Object.entries<Partial<LifelinesOptions>>({
    "socket files": {},
    "TCP on loopback": { transport: "tcp" },
    "TCP with a key": { transport: "tcp", host: "127.0.0.1", curve: KEY },
  })
) {
  Deno.test(`by ${way}: a line that ends without a word is lost, one that was left before is not`, async () => {
    const [zero, one, two, three] = await ranksOf(4, options);
    one.say({ leaves: true });
    await one[Symbol.asyncDispose]();
    two.say({ leaves: true });
    two.closeNow();
    await two.removeFiles();
    three.say({ error: { name: "RangeError", message: "too far" } });
    await three[Symbol.asyncDispose]();
    const lost = await lostOf(zero);
    assert.deepEqual(lost.map(({ rank, host, error }) => ({ rank, host, error })), [
      { rank: 3, host: "node3", error: { name: "RangeError", message: "too far" } },
    ]);
    await zero[Symbol.asyncDispose]();
  });
}

Deno.test("a lost rank fails a wait after two seconds of both; who gets on, or is connected again, does not fail", () => {
  let now = 100_000, lost: LostRank[] = [];
  const watch = new LifelineWatch({ lost: () => lost }, {
    clock: { now: () => now, after: () => () => {}, turn: async () => {} },
  });
  const after = (ms: number) => {
    now += ms;
    return watch.failure(() => "rank 0 was in barrier");
  };
  watch.began("barrier", 7);
  assert.equal(after(60_000), undefined);
  const gone: LostRank = { rank: 3, host: "node7", sinceMs: now, listens: false };
  lost = [gone];
  assert.equal(after(1_900), undefined);
  watch.waitsFor(2, 1);
  assert.equal(after(100), undefined, "it got on");
  assert.equal(after(1_900), undefined);
  lost = [];
  assert.equal(after(200), undefined, "it is there again");
  lost = [{ ...gone, sinceMs: now }];
  assert.equal(after(1_900), undefined);
  assert.match(
    String(after(200)),
    /^RankFailedError: rank 3 on node7 is gone without a word: it was killed, or crashed; meanwhile rank 0 was in barrier$/,
  );
  lost = [{ ...gone, listens: true }];
  assert.match(String(after(200)), /shows no sign of life any more: it is frozen, or node7 is cut off or down;/);
});
