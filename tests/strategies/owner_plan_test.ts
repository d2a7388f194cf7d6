import assert from "node:assert/strict";
import { planOwners } from "../../strategies/owner_plan.ts";

Deno.test("parameters go to the rank with the least so far, the largest first", () => {
  assert.deepEqual(planOwners([1, 10, 6, 5], 2), [0, 0, 1, 1]);
  assert.deepEqual(planOwners([4, 4, 4], 3), [0, 1, 2]);
});

Deno.test("no rank owns more than an equal share and one parameter, also with more ranks than parameters", () => {
  const sizes = Array.from({ length: 40 }, (_, i) => (i * 7919) % 101 + 1);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  for (const worldSize of [1, 2, 3, 7, 64]) {
    const held = new Array(worldSize).fill(0);
    for (const [i, owner] of planOwners(sizes, worldSize).entries()) held[owner] += sizes[i];
    assert.equal(held.reduce((sum, size) => sum + size, 0), total);
    assert.ok(Math.max(...held) <= total / worldSize + 101, `${held}`);
  }
  assert.deepEqual(planOwners([], 2), []);
});
