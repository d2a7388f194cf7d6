import assert from "node:assert/strict";
import { describeSlowest, RankWaits } from "../../strategies/rank_waits.ts";

/** Ranks on a clock that is set by hand. */
class Clock {
  ms = 0;
  readonly ranks = [new RankWaits(() => this.ms), new RankWaits(() => this.ms), new RankWaits(() => this.ms)];

  /** A step in which each rank waits as long as given, in seconds. */
  step(waits: readonly number[]): void {
    const slots = this.ranks.map((rank, index) => {
      const begun = this.ms, end = rank.begin();
      this.ms = begun + waits[index] * 1000;
      end();
      this.ms = begun;
      const slot = new Float32Array(3);
      rank.write(slot, index);
      return slot;
    });
    this.ms += 10_000;
    const mean = slots[0].map((_, i) => slots.reduce((sum, slot) => sum + slot[i], 0) / 3);
    for (const rank of this.ranks) rank.read(mean);
  }
}

Deno.test("the rank that waits least is the slowest, and every rank knows how much longer the others waited", () => {
  const clock = new Clock();
  // The first step, in which ranks start, does not count.
  clock.step([0, 8, 0]);
  for (let i = 0; i < 3; i++) clock.step([2, 0.5, 1]);
  for (const rank of clock.ranks) {
    const slowest = rank.take()!;
    assert.equal(slowest.rank, 1);
    assert.deepEqual(slowest.waited.map((wait) => Math.round(wait * 10) / 10), [4.5, 0, 1.5]);
    assert.equal(slowest.seconds, 30);
    assert.equal(
      describeSlowest(slowest),
      "rank 1 was the slowest: in 30.0 s of training the others waited for its gradients (rank 0 4.5 s, rank 2 1.5 s)",
    );
    assert.equal(rank.take(), undefined, "what was reported is not reported again");
  }
});

Deno.test("short waits are not worth a line", () => {
  assert.equal(describeSlowest({ rank: 0, waited: [0, 0.9], seconds: 2 }), undefined);
  assert.equal(describeSlowest({ rank: 0, waited: [0, 5], seconds: 100 }), undefined);
});
