import assert from "node:assert/strict";
import { planBuckets } from "../../strategies/bucket_plan.ts";

const MiB = 2 ** 20;

Deno.test("the last variables come first, and the first bucket is closed early", () => {
  const quarter = MiB / 4 / 4;
  const buckets = planBuckets([quarter * 8, quarter, quarter * 3, quarter], { capBytes: 25 * MiB, firstCapBytes: MiB });
  assert.deepEqual(buckets.map((b) => b.slots.map((s) => s.variable)), [[3, 2], [1, 0]]);
  assert.deepEqual(buckets[0].slots, [
    { variable: 3, offset: 0, length: quarter },
    { variable: 2, offset: quarter, length: quarter * 3 },
  ]);
  assert.equal(buckets[1].length, quarter * 9);
});

Deno.test("a variable larger than the cap gets a bucket of its own and is not split", () => {
  const buckets = planBuckets([10, 1_000_000, 10], { capBytes: 400, firstCapBytes: 400 });
  assert.deepEqual(buckets.map((b) => b.length), [10, 1_000_000, 10]);
});

Deno.test("every element of every variable lies in exactly one bucket, whatever the sizes", () => {
  for (const lengths of [[], [0], [1], [5, 0, 7], Array.from({ length: 100 }, (_, i) => (i * 37) % 53)]) {
    const buckets = planBuckets(lengths, { capBytes: 200, firstCapBytes: 40 });
    const seen = new Map(buckets.flatMap((b) => b.slots).map((s) => [s.variable, s.length]));
    assert.deepEqual([...seen].sort((a, b) => a[0] - b[0]), lengths.map((length, i) => [i, length]));
    for (const { slots, length } of buckets) {
      assert.equal(slots.reduce((end, s) => (assert.equal(s.offset, end), end + s.length), 0), length);
    }
  }
});
