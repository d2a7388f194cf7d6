import assert from "node:assert/strict";
import { fromHalfFloats, toHalfFloats } from "../../runtime/precision/half_floats.ts";

const bitsOf = (value: number) => new Uint32Array(new Float32Array([value]).buffer)[0];

Deno.test("every 16-bit number becomes its float32 and comes back as the same bits", () => {
  const all = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
  for (const format of ["fp16", "bf16"] as const) {
    const values = fromHalfFloats(all, format);
    const back = toHalfFloats(values, format);
    for (const [index, bits] of all.entries()) {
      if (Number.isNaN(values[index])) assert.ok(Number.isNaN(fromHalfFloats(back.slice(index, index + 1), format)[0]));
      else assert.equal(back[index], bits);
    }
  }
});

Deno.test("bf16 is the nearest of the two neighbours, and the even one between both", () => {
  let word = 12345;
  for (let i = 0; i < 20_000; i++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    const value = new Float32Array(new Uint32Array([word]).buffer);
    if (!Number.isFinite(value[0])) continue;
    const [bits] = toHalfFloats(value, "bf16");
    const [low, high] = [word >>> 16, (word >>> 16) + 1].map((b) => fromHalfFloats(new Uint16Array([b]), "bf16")[0]);
    const [toLow, toHigh] = [Math.abs(value[0] - low), Math.abs(high - value[0])];
    const expected = toLow === toHigh
      ? ((word >>> 16) & 1) === 0 ? word >>> 16 : (word >>> 16) + 1
      : toLow < toHigh
      ? word >>> 16
      : (word >>> 16) + 1;
    assert.equal(bits, expected & 0xffff, `of ${value[0]}`);
  }
  const halfway = new Float32Array([1 + 2 ** -8, 1 + 3 * 2 ** -8]);
  assert.deepEqual([...fromHalfFloats(toHalfFloats(halfway, "bf16"), "bf16")], [1, 1 + 2 ** -6]);
});

Deno.test("what is too large is infinite, and NaN stays NaN with any fraction", () => {
  const nan = new Float32Array(new Uint32Array([0x7fffffff, 0xffffffff, 0x7f800001]).buffer);
  for (const format of ["fp16", "bf16"] as const) {
    assert.deepEqual([...fromHalfFloats(toHalfFloats(nan, format), format)], [NaN, NaN, NaN]);
    const extremes = new Float32Array([Infinity, -Infinity, 3.4e38, 0, -0]);
    assert.deepEqual([...fromHalfFloats(toHalfFloats(extremes, format), format)], [
      Infinity,
      -Infinity,
      Infinity,
      0,
      -0,
    ]);
  }
  assert.equal(bitsOf(65504), bitsOf(fromHalfFloats(toHalfFloats(new Float32Array([65504]), "fp16"), "fp16")[0]));
  assert.equal(fromHalfFloats(toHalfFloats(new Float32Array([65520]), "fp16"), "fp16")[0], Infinity);
});

Deno.test("parts of larger arrays are converted in place, and a target of another length is an error", () => {
  const memory = new Float32Array([9, 1, 2, 9]), bits = new Uint16Array([7, 0, 0, 7]);
  toHalfFloats(memory.subarray(1, 3), "fp16", bits.subarray(1, 3));
  assert.deepEqual([...bits], [7, 0x3c00, 0x4000, 7]);
  fromHalfFloats(bits.subarray(1, 3), "fp16", memory.subarray(2, 4));
  assert.deepEqual([...memory], [9, 1, 1, 2]);
  assert.throws(() => toHalfFloats(memory, "bf16", new Uint16Array(3)), RangeError);
  assert.throws(() => fromHalfFloats(bits, "bf16", new Float32Array(5)), RangeError);
});
