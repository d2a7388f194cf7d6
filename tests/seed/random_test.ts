import assert from "node:assert/strict";
import { deriveSeed } from "../../runtime/seed/derive_seed.ts";
import { Random } from "../../runtime/seed/random.ts";

Deno.test("the generator gives the words of the published xoshiro128** from the same state", () => {
  // The first words of Blackman and Vigna's xoshiro128starstar.c from the state 1, 2, 3, 4.
  const random = Random.from({ generator: "xoshiro128**", words: [1, 2, 3, 4] });
  assert.deepEqual(Array.from({ length: 6 }, () => random.bits()), [
    11520,
    0,
    5927040,
    70819200,
    2031721883,
    1637235492,
  ]);
});

Deno.test("the same seed gives the same numbers, another one others", () => {
  const draw = (seed: number) => Array.from({ length: 5 }, ((random) => () => random.uniform())(new Random(seed)));
  assert.deepEqual(draw(42), draw(42));
  const seeds = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
  assert.equal(new Set(seeds.map((seed) => draw(seed)[0])).size, seeds.length);
});

Deno.test("a state can be taken, serialised and gone back to", () => {
  const random = new Random(3);
  random.uniform();
  const state = JSON.parse(JSON.stringify(random.state));
  const expected = [random.bits(), random.normal(), random.integer(10)];
  random.state = state;
  assert.deepEqual([random.bits(), random.normal(), random.integer(10)], expected);
  const other = Random.from(state);
  assert.deepEqual([other.bits(), other.normal(), other.integer(10)], expected);
});

Deno.test("integers, orders of three and normal numbers are distributed as they should be", () => {
  const random = new Random(1), n = 60_000;
  const counts = new Array(6).fill(0), orders = new Map<string, number>();
  let sum = 0, squares = 0, uniform = 0;
  for (let i = 0; i < n; i++) {
    counts[random.integer(6)]++;
    const order = random.permutation(3).join("");
    orders.set(order, (orders.get(order) ?? 0) + 1);
    const x = random.normal();
    sum += x;
    squares += x * x;
    uniform += random.uniform();
  }
  // Pearson's statistic with 5 degrees of freedom exceeds 20.5 with probability 0.001.
  const chiSquared = (observed: number[]) =>
    observed.reduce((total, count) => total + (count - n / 6) ** 2 / (n / 6), 0);
  assert.ok(chiSquared(counts) < 20.5, `${counts}`);
  assert.equal(orders.size, 6);
  assert.ok(chiSquared([...orders.values()]) < 20.5, JSON.stringify([...orders]));
  assert.ok(Math.abs(sum / n) < 0.015 && Math.abs(squares / n - 1) < 0.02, `${sum / n} ${squares / n}`);
  assert.ok(Math.abs(uniform / n - 0.5) < 0.005);
});

Deno.test("a bound that does not divide 2^32 is not biased towards small numbers", () => {
  // Of 3·2^30 numbers a plain remainder would give those below 2^30 twice as often.
  const random = new Random(5), bound = 3 * 2 ** 30;
  let small = 0;
  for (let i = 0; i < 20_000; i++) if (random.integer(bound) < 2 ** 30) small++;
  assert.ok(Math.abs(small / 20_000 - 1 / 3) < 0.015, String(small));
});

Deno.test("a permutation holds every number once, of lengths 0 and 1 too", () => {
  const random = new Random(9);
  assert.deepEqual([...random.permutation(1000)].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i));
  assert.deepEqual([random.permutation(0).length, [...random.permutation(1)]], [0, [0]]);
});

Deno.test("what is no seed, bound, length or state is refused", () => {
  for (const seed of [-1, 1.5, NaN, 2 ** 53]) assert.throws(() => new Random(seed), RangeError);
  const random = new Random(0);
  for (const bound of [0, -1, 1.5, 2 ** 32 + 1, NaN]) assert.throws(() => random.integer(bound), RangeError);
  assert.throws(() => random.permutation(-1), RangeError);
  for (const words of [[0, 0, 0, 0], [1, 2, 3], [1, 2, 3, -1], "1234"]) {
    assert.throws(() => random.state = { generator: "xoshiro128**", words: words as number[] }, /four 32-bit numbers/);
  }
  assert.throws(() => random.state = null as never, TypeError);
});

Deno.test("derived seeds are stable, differ by every part and its place, and are never 0", () => {
  assert.equal(deriveSeed(42, "augment", 3), deriveSeed(42, "augment", 3));
  const seeds = new Set<number>();
  for (let base = 0; base < 20; base++) {
    for (let epoch = 0; epoch < 20; epoch++) {
      for (const name of ["", "a", "ab"]) {
        const seed = deriveSeed(base, epoch, name);
        assert.ok(Number.isSafeInteger(seed) && seed > 0);
        seeds.add(seed);
      }
    }
  }
  assert.equal(seeds.size, 20 * 20 * 3);
  assert.notEqual(deriveSeed(1, "a", "bc"), deriveSeed(1, "ab", "c"));
  assert.notEqual(deriveSeed(1, 2 ** 32), deriveSeed(1, 0));
  assert.throws(() => deriveSeed(1.5), /made from whole numbers and strings, but got 1\.5/);
});
