import assert from "node:assert/strict";
import { RankWatch, type WatchedRank } from "../../launcher/rank_watch.ts";
import { ActivityPage } from "../../runtime/core/activity_page.ts";

function watched() {
  const page = new ActivityPage(), stopped = new Set<number>();
  const rank: { -readonly [K in keyof WatchedRank]: WatchedRank[K] } = {
    ...{ rank: 3, pid: 33, activity: () => page.read() },
  };
  const watch = new RankWatch([rank], { intervalMs: 500, stopped: () => Promise.resolve(stopped) });
  return { page, stopped, rank, look: async (nowMs: number) => (await watch.look(nowMs))[0] };
}

Deno.test("a collective that gets on is not idle, one that does not is", async () => {
  const { page, look } = watched();
  page.beginCollective("allReduce", 1);
  assert.equal((await look(0)).idleMs, 0);
  assert.equal((await look(500)).idleMs, 500);
  page.waitFor(1);
  assert.equal((await look(1_000)).idleMs, 0);
  assert.equal((await look(1_500)).idleMs, 500);
  page.endCollective();
  assert.equal((await look(2_000)).idleMs, 0);
});

Deno.test("how long a rank was stopped counts from when it was first seen so, and ends when it goes on", async () => {
  const { stopped, look } = watched();
  await look(0);
  stopped.add(33);
  assert.equal((await look(500)).stoppedMs, 0);
  assert.equal((await look(1_000)).stoppedMs, 500);
  stopped.clear();
  assert.equal((await look(1_500)).stoppedMs, 0);
});

Deno.test("time in which the launcher itself did not run is not held against a rank", async () => {
  const { stopped, look } = watched();
  stopped.add(33);
  await look(0);
  assert.equal((await look(3_600_000)).stoppedMs, 1_000);
});

Deno.test("a rank that ended is known by its code, and since when", async () => {
  const { rank, look } = watched();
  await look(0);
  rank.exit = { code: 0 };
  await look(500);
  const { exitCode, endedMs } = await look(1_000);
  assert.deepEqual([exitCode, endedMs], [0, 500]);
});
