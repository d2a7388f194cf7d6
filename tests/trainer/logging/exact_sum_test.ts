import assert from "node:assert/strict";
import { ExactSum } from "../../../runtime/trainer/logging/exact_sum.ts";
import { Random } from "../../../runtime/seed/random.ts";

function sum(terms: readonly number[]): number {
  const exact = new ExactSum();
  for (const term of terms) exact.add(term);
  return exact.value;
}

Deno.test("sums are rounded once, as Python's math.fsum rounds them", () => {
  // Expected values by math.fsum of Python 3.
  assert.equal(sum(Array(10).fill(0.1)), 1);
  assert.equal(sum([1e100, 1, -1e100]), 1);
  assert.equal(sum([1, 1e-16, 1e-16]), 1.0000000000000002);
  assert.equal(sum([1e16, 1, 1e-16]), 10000000000000002);
  assert.equal(sum([1e308, -1e308, 2 ** -1074]), 2 ** -1074);
  assert.equal(sum([]), 0);
});

Deno.test("the order of the terms and how they are spread over ranks do not matter", () => {
  const random = new Random(1);
  const terms = Array.from(
    { length: 500 },
    () => (random.uniform() - 0.5) * 10 ** Math.floor(random.uniform() * 30 - 15),
  );
  const expected = sum(terms);
  assert.equal(sum(Array.from(random.permutation(500), (i) => terms[i])), expected);
  for (const ranks of [2, 3, 7]) {
    const total = new ExactSum();
    for (let rank = 0; rank < ranks; rank++) {
      const own = new ExactSum();
      terms.filter((_, i) => i % ranks === rank).forEach((term) => own.add(term));
      total.addAll(own.terms);
    }
    assert.equal(total.value, expected);
  }
});

Deno.test("what is not finite stays so", () => {
  assert.equal(sum([1, Infinity]), Infinity);
  assert.ok(Number.isNaN(sum([1, NaN])));
  assert.ok(Number.isNaN(sum([Infinity, -Infinity])));
  const half = new ExactSum();
  half.add(-Infinity);
  const total = new ExactSum();
  total.addAll(half.terms);
  total.add(3);
  assert.equal(total.value, -Infinity);
});
