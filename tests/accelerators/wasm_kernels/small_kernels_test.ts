import assert from "node:assert/strict";
import { wasm } from "../../../runtime/accelerators/wasm.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { assertClose, numbers, onBoth, valuesOn } from "../on_both.ts";

Deno.test("the gradient of a look-up adds up the rows that were looked up more than once", async () => {
  await onBoth(() =>
    tf.grad((x: tf.Tensor) => tf.gather(x, tf.tensor1d([0, 2, 2, 1, 2], "int32")).square().sum())(numbers([4, 3]))
  );
  await onBoth(() =>
    tf.grad((x: tf.Tensor) => tf.gather(x, tf.tensor2d([[0, 1], [1, 1]], [2, 2], "int32"), 1).square().sum())(
      numbers([3, 4]),
    )
  );
});

Deno.test("segments sum floats and integers, and leave out ids out of range", async () => {
  await onBoth(() => tf.unsortedSegmentSum(numbers([5, 2]), tf.tensor1d([0, 3, 0, -1, 9], "int32"), 4));
  const [sums] = await valuesOn("wasm", () => {
    return tf.unsortedSegmentSum(tf.tensor1d([1, 2, 3, 4], "int32"), tf.tensor1d([1, 1, 0, 1], "int32"), 3);
  });
  assert.deepEqual(sums, { shape: [3], dtype: "int32", values: [3, 7, 0] });
});

Deno.test("resizing by nearest neighbours is linear, and its gradient is the transposed map", async () => {
  await wasm.load({});
  for (
    const [size, alignCorners, halfPixelCenters] of [
      [[8, 8], false, false],
      [[8, 8], true, false],
      [[7, 9], false, true],
      [[7, 9], true, false],
      [[3, 2], false, false],
      [[3, 2], false, true],
      [[1, 1], true, false],
    ] as const
  ) {
    const [forward, backward] = await valuesOn("wasm", () => {
      const x = numbers([2, 4, 4, 3]), dy = numbers([2, ...size, 3], 3);
      const resize = (x: tf.Tensor) =>
        tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [...size], alignCorners, halfPixelCenters).mul(dy).sum();
      return [resize(x), tf.grad(resize)(x).mul(x).sum()];
    });
    assertClose(backward.values, forward.values, 1e-5);
  }
});

Deno.test("prelu broadcasts its slopes", async () => {
  await onBoth(() =>
    [[4], [3, 4], [1, 4], [3, 1], []].flatMap((shape) => [
      tf.prelu(numbers([2, 3, 4]), numbers(shape, 2)),
      ...tf.grads((x: tf.Tensor, alpha: tf.Tensor) => tf.prelu(x, alpha).square().sum())([
        numbers([2, 3, 4]),
        numbers(shape, 2),
      ]),
    ])
  );
});

Deno.test("running sums take an axis counted from the end", async () => {
  for (const run of [tf.cumsum, tf.cumprod] as const) {
    const [fromEnd, fromStart, first] = await valuesOn("wasm", () => {
      const x = numbers([3, 4, 5]);
      return [run(x, -1), run(x, 2), run(x, 0)];
    });
    assert.deepEqual(fromEnd, fromStart);
    assert.deepEqual(first.shape, [3, 4, 5]);
  }
});

Deno.test("kernels that are compiled for floats only give integers and bools what plain JavaScript gives", async () => {
  await onBoth(() => {
    const x = tf.tensor1d([-3, -1, 0, 1, 2, 5], "int32");
    const bools = tf.tensor2d([[1, 0], [1, 1], [0, 0]], [3, 2], "bool");
    return [tf.clipByValue(x, -1, 2), tf.isNaN(x), tf.isFinite(x), tf.asinh(x), tf.reverse(bools, 0), tf.reverse(x, 0)];
  });
});

Deno.test("dilation takes the largest sum of pixel and filter within the image", async () => {
  const x = tf.tensor4d([1, 5, 2, 3], [1, 2, 2, 1]), filter = tf.tensor3d([0, 1, 2, 0], [2, 2, 1]);
  await wasm.load({});
  const [{ values }] = await valuesOn("wasm", () => tf.dilation2d(x, filter, 1, "same") as tf.Tensor);
  assert.deepEqual(values, [6, 5, 4, 3]);
  tf.dispose([x, filter]);
});

Deno.test("sums over any axes are those of plain JavaScript", async () => {
  for (const axis of [undefined, 0, 1, 2, -1, [0, 1], [1, 0], [1, 2], [0, 2], [0, 1, 2], []]) {
    for (const keepDims of [false, true]) {
      await onBoth(() => [
        numbers([3, 4, 5]).sum(axis, keepDims),
        numbers([3, 4, 5]).mul(9).cast("int32").sum(axis, keepDims),
        numbers([3, 4, 5]).greater(0).sum(axis, keepDims),
      ]);
    }
  }
  await onBoth(() => [tf.zeros([0, 3]).sum(0), tf.zeros([3, 0]).sum(0), tf.scalar(3).sum()]);
});

Deno.test("casting keeps values, makes bool of what is not zero, and costs no copy to the same type", async () => {
  await onBoth(() => {
    const x = tf.tensor1d([0, 0.5, -1, 256, 3.7, -3.7]);
    const integers = tf.tensor1d([0, 256, -1], "int32");
    return [x.cast("bool"), x.cast("int32"), x.cast("float32"), integers.cast("bool"), integers.cast("float32")];
  });
  await onBoth(() => tf.tensor1d([1, 0], "bool").cast("float32"));
});

Deno.test("a clone outlives the tensor that it was made from, and the other way round", async () => {
  await wasm.load({});
  const before = tf.memory().numTensors, data = tf.engine().backend.numDataIds();
  const first = tf.tensor1d([1, 2, 3]), clone = first.clone();
  first.dispose();
  assert.deepEqual([...clone.dataSync()], [1, 2, 3]);
  const again = clone.clone();
  again.dispose();
  assert.deepEqual([...clone.dataSync()], [1, 2, 3]);
  clone.dispose();
  assert.equal(tf.memory().numTensors, before);
  assert.equal(tf.engine().backend.numDataIds(), data);
});

Deno.test("kernels that only plain JavaScript has run on copies of the data", async () => {
  await onBoth(() => [
    tf.einsum("ij,jk->ik", numbers([2, 3]), numbers([3, 4], 2)),
    tf.einsum("bij->b", numbers([2, 3, 4])),
  ]);
  await valuesOn("wasm", () => {
    const text = tf.tensor1d(["a1b", "c22"], "string");
    assert.deepEqual(tf.string.staticRegexReplace(text, "[0-9]", "-").arraySync(), ["a-b", "c--"]);
    return [];
  });
});

Deno.test("clipping keeps NaN, and clips floats and integers", async () => {
  await onBoth(() => [
    tf.clipByValue(tf.tensor1d([NaN, -5, -1, 0.5, 7, Infinity]), -1, 2),
    tf.clipByValue(tf.tensor1d([-5, 0, 9], "int32"), -1, 2),
  ]);
});

Deno.test("a part of a tensor of any type and rank is cut out", async () => {
  await onBoth(() => {
    const x = numbers([3, 4, 5, 2]);
    return [
      tf.slice(x, [0, 0, 0, 0], [3, 4, 5, 2]),
      tf.slice(x, [1, 0, 0, 0], [2, 4, 5, 2]),
      tf.slice(x, [1, 2], [2, 1]),
      tf.slice(x, [0, 1, 2, 1], [3, 2, 3, 1]),
      tf.slice(x, [2, 3, 4, 1], [1, 1, 1, 1]),
      tf.slice(x, [1, 1, 1, 0], [-1, -1, 0, -1]),
      tf.slice(x.mul(9).toInt(), [0, 1, 2, 0], [2, 3, 2, 2]),
      tf.slice(x.greater(0), [1, 0, 1, 1], [2, 2, 3, 1]),
      tf.slice(x.reshape([3, 2, 2, 1, 5, 2]), [1, 0, 1, 0, 2, 0], [2, 2, 1, 1, 2, 2]),
      tf.slice(x.reshape([120]), 7, 100),
    ];
  });
});

Deno.test("a part that does not lie inside is refused", async () => {
  await wasm.load({});
  const x = numbers([3, 4]);
  assert.throws(() => tf.slice(x, [0, 2], [3, 3]), /would overflow/);
  assert.throws(() => tf.slice(x, [4, 0], [1, 4]));
  x.dispose();
});

Deno.test("integers are counted whatever their shape", async () => {
  await onBoth(() => tf.bincount(tf.tensor2d([[1, 2], [2, 0]], [2, 2], "int32") as never, tf.tensor1d([]), 4));
});

Deno.test("prelu of integers is a float", async () => {
  await onBoth(() => tf.prelu(tf.tensor1d([-3, 0, 4], "int32"), tf.tensor1d([0.5, 0.5, 0.5])));
});

Deno.test("dilation's gradients are those of plain JavaScript", async () => {
  await onBoth(() =>
    (["same", "valid"] as const).flatMap((pad) =>
      tf.grads((x: tf.Tensor, filter: tf.Tensor) =>
        tf.dilation2d(x as tf.Tensor4D, filter as tf.Tensor3D, 1, pad).square().sum()
      )([numbers([2, 5, 4, 3]), numbers([2, 3, 3], 2)])
    )
  );
});
