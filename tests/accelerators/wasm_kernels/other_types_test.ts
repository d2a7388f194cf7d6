import assert from "node:assert/strict";
import { wasm } from "../../../runtime/accelerators/wasm.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { numbers, onBoth, valuesOn } from "../on_both.ts";

const complex = (shape: number[], seed = 1) => tf.complex(numbers(shape, seed), numbers(shape, seed + 1));

Deno.test("complex numbers compute on wasm as in plain JavaScript", async () => {
  await onBoth(() => {
    const a = complex([3, 4]), b = complex([3, 4], 3), row = complex([4], 5);
    // On the cpu backend a reshape changes the shape of what was reshaped, too: such a one gets tensors of its own.
    return [
      a.add(b),
      a.sub(row),
      a.mul(b),
      tf.concat([a, b], 1),
      a.transpose(),
      tf.stack([complex([4], 7), complex([4], 9)]),
      complex([3, 4], 7).reshape([2, 6]),
    ]
      .concat([tf.zerosLike(a), tf.onesLike(a), numbers([3]).cast("complex64"), a.clone()])
      .flatMap((tensor) => [tf.real(tensor), tf.imag(tensor)])
      .concat([tf.abs(a), a.cast("float32")]);
  });
});

Deno.test("Fourier transforms and their inverses are those of plain JavaScript", async () => {
  await onBoth(() => {
    const transformed = tf.fft(complex([2, 6])), halves = tf.rfft(numbers([2, 7]));
    return [transformed, tf.ifft(complex([2, 5])), halves]
      .flatMap((tensor) => [tf.real(tensor), tf.imag(tensor)])
      .concat([tf.irfft(halves), tf.abs(tf.signal.stft(numbers([20]) as tf.Tensor1D, 8, 4))]);
  });
});

Deno.test("a complex tensor's values are pairs, real part first, and a buffer of its own", async () => {
  await wasm.load({});
  const tensor = tf.complex([1, 2], [3, 4]);
  const values = tensor.dataSync();
  assert.deepEqual([...values], [1, 3, 2, 4]);
  tensor.dispose();
  tf.tidy(() => tf.fill([64], 9));
  assert.deepEqual([...values], [1, 3, 2, 4]);
});

Deno.test("strings are compared, filled, repeated, cut and joined", async () => {
  const [...got] = await valuesOn("wasm", () => {
    const a = tf.tensor1d(["a", "c", "é"]), b = tf.tensor1d(["a", "b", "z"]);
    return [
      tf.equal(a, b),
      tf.less(a, b),
      tf.greaterEqual(a, b),
      tf.fill([2], "ab" as never),
      tf.tile(a, [2]),
      tf.slice(a, 1, 2),
      tf.concat([a, b]),
    ];
  });
  assert.deepEqual(got.map(({ values }) => values), [
    [1, 0, 0],
    [0, 0, 0],
    [1, 1, 1],
    ["ab", "ab"],
    ["a", "c", "é", "a", "c", "é"],
    ["c", "é"],
    ["a", "c", "é", "a", "b", "z"],
  ]);
});
