import assert from "node:assert/strict";
import { wasm } from "../../../runtime/accelerators/wasm.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { numbers, onBoth } from "../on_both.ts";

type Pad = Parameters<typeof tf.conv2d>[3];

const CONVOLUTIONS: { x: number[]; filter: number[]; strides: number | [number, number]; pad: Pad }[] = [
  { x: [2, 5, 5, 1], filter: [3, 3, 1, 2], strides: 1, pad: "same" },
  { x: [2, 6, 7, 3], filter: [3, 2, 3, 4], strides: 1, pad: "valid" },
  { x: [3, 7, 6, 2], filter: [3, 3, 2, 3], strides: 2, pad: "same" },
  { x: [2, 8, 8, 2], filter: [3, 3, 2, 3], strides: 2, pad: "valid" },
  { x: [2, 9, 8, 2], filter: [2, 2, 2, 3], strides: 3, pad: "valid" },
  { x: [1, 6, 6, 2], filter: [1, 1, 2, 5], strides: 1, pad: "same" },
  { x: [2, 6, 6, 2], filter: [1, 1, 2, 3], strides: 2, pad: "same" },
  { x: [2, 5, 9, 2], filter: [5, 1, 2, 3], strides: [1, 2], pad: "same" },
  { x: [2, 6, 6, 2], filter: [3, 3, 2, 3], strides: 1, pad: 2 },
  { x: [2, 6, 6, 2], filter: [2, 2, 2, 3], strides: 1, pad: 3 },
  { x: [2, 6, 5, 2], filter: [3, 3, 2, 3], strides: 2, pad: [[0, 0], [1, 2], [0, 1], [0, 0]] },
];

for (const { x, filter, strides, pad } of CONVOLUTIONS) {
  const label = `${x} by ${filter}, strides ${strides}, padding ${pad}`;
  Deno.test(`a convolution's gradients are those of plain JavaScript: ${label}`, async () => {
    await onBoth(() => {
      const gradients = tf.grads((x: tf.Tensor, filter: tf.Tensor) =>
        tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad).square().sum()
      );
      return gradients([numbers(x), numbers(filter, 2)]);
    });
  });
}

Deno.test("windows of more images than are unfolded at a time still add up", async () => {
  // 60 images of 16 x 16 windows with 5 x 5 x 4 pixels each are 1.5 million floats, above the one million held at a time.
  await onBoth(() => {
    const gradient = tf.grad((x: tf.Tensor) =>
      tf.conv2d(x as tf.Tensor4D, numbers([5, 5, 4, 2], 2) as tf.Tensor4D, 2, "same").square().sum()
    );
    return gradient(numbers([60, 32, 32, 4]));
  });
});

Deno.test("a transposed convolution and its gradients are those of plain JavaScript", async () => {
  for (const [strides, pad] of [[1, "same"], [2, "same"], [2, "valid"]] as const) {
    const size = pad === "valid" ? 9 : 4 * strides;
    await onBoth(() => {
      const transposed = (x: tf.Tensor, filter: tf.Tensor) =>
        tf.conv2dTranspose(x as tf.Tensor4D, filter as tf.Tensor4D, [2, size, size, 2], strides, pad);
      const [x, filter] = [numbers([2, 4, 4, 3]), numbers([3, 3, 2, 3], 2)];
      return [transposed(x, filter), ...tf.grads((x, filter) => transposed(x, filter).square().sum())([x, filter])];
    });
  }
});

Deno.test("a one-dimensional convolution's gradients are those of plain JavaScript", async () => {
  await onBoth(() =>
    tf.grads((x: tf.Tensor, filter: tf.Tensor) =>
      tf.conv1d(x as tf.Tensor3D, filter as tf.Tensor3D, 2, "same").square().sum()
    )([
      numbers([2, 9, 3]),
      numbers([3, 3, 4], 2),
    ])
  );
});

Deno.test("a depthwise convolution's gradients are those of plain JavaScript", async () => {
  for (const multiplier of [1, 2]) {
    for (const [strides, pad] of [[1, "same"], [2, "same"], [1, "valid"], [2, "valid"]] as const) {
      await onBoth(() =>
        tf.grads((x: tf.Tensor, filter: tf.Tensor) =>
          tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, pad).square().sum()
        )([numbers([2, 7, 6, 3]), numbers([3, 3, 3, multiplier], 2)])
      );
    }
  }
});

Deno.test("a three-dimensional convolution's gradients are those of plain JavaScript", async () => {
  for (
    const [x, strides, pad] of [[[2, 4, 4, 4, 2], 1, "same"], [[2, 5, 6, 5, 2], 2, "valid"], [
      [1, 3, 5, 4, 2],
      1,
      "valid",
    ]] as const
  ) {
    await onBoth(() =>
      tf.grads((x: tf.Tensor, filter: tf.Tensor) =>
        tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, strides, pad).square().sum()
      )([
        numbers([...x]),
        numbers([2, 3, 2, 2, 3], 2),
      ])
    );
  }
});

Deno.test("pooling's gradients are those of plain JavaScript", async () => {
  for (const pool of [tf.maxPool, tf.avgPool]) {
    for (
      const [size, strides, pad] of [[2, 2, "valid"], [2, 2, "same"], [3, 2, "same"], [3, 1, "same"], [
        3,
        2,
        1,
      ]] as const
    ) {
      await onBoth(() =>
        tf.grad((x: tf.Tensor) =>
          pool(x as tf.Tensor4D, size, strides, pad, pad === 1 ? "floor" : undefined).square().sum()
        )(
          numbers([2, 7, 6, 3]),
        )
      );
    }
  }
});

Deno.test("of equal pixels in a pooling window the first gets the gradient", async () => {
  await onBoth(() =>
    tf.grad((x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, 2, 2, "valid").sum())(tf.zeros([1, 4, 4, 2]))
  );
});

for (const pad of ["same", "valid", [[0, 0], [0, 0], [1, 2], [0, 1]]] as const) {
  Deno.test(`images with channels first are convolved as with channels last, padding ${pad}`, async () => {
    await onBoth(() => {
      const x = numbers([2, 3, 7, 6]), filter = numbers([3, 2, 3, 4], 2);
      const convolve = (x: tf.Tensor, filter: tf.Tensor) =>
        tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, [2, 1], pad as Pad, "NCHW");
      return [convolve(x, filter), ...tf.grads((...args) => convolve(args[0], args[1]).square().sum())([x, filter])];
    });
  });
}

Deno.test("a fused convolution adds biases and takes slopes of any shape that broadcasts", async () => {
  for (const dataFormat of ["NHWC", "NCHW"] as const) {
    const image = dataFormat === "NHWC" ? [5, 5, 2] : [2, 5, 5];
    // With channels first the op measures slopes of more axes against the shape that channels last would give.
    for (const shape of [[], [1], [3], ...dataFormat === "NHWC" ? [[1, 1, 3], [5, 5, 3]] : []]) {
      await onBoth(() =>
        (["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const).map((activation) =>
          tf.fused.conv2d({
            x: numbers([2, ...image]) as tf.Tensor4D,
            filter: numbers([3, 3, 2, 3], 2) as tf.Tensor4D,
            strides: 1,
            pad: "same",
            dataFormat,
            // The op itself takes no more than one number a channel.
            bias: numbers(shape.length > 1 ? [3] : shape, 3),
            activation,
            preluActivationWeights: activation === "prelu" ? numbers(shape, 4) : undefined,
            leakyreluAlpha: 0.3,
          })
        )
      );
    }
  }
});

Deno.test("a fused depthwise convolution adds a bias that is one number", async () => {
  await onBoth(() =>
    tf.fused.depthwiseConv2d({
      x: numbers([2, 5, 5, 2]) as tf.Tensor4D,
      filter: numbers([3, 3, 2, 2], 2) as tf.Tensor4D,
      strides: 1,
      pad: "same",
      bias: tf.scalar(0.5),
      activation: "relu",
    })
  );
});

Deno.test("a transposed convolution that is asked for less than it could give is cut", async () => {
  await onBoth(() =>
    tf.conv2dTranspose(
      numbers([1, 6, 6, 2]) as tf.Tensor4D,
      numbers([3, 3, 4, 2], 2) as tf.Tensor4D,
      [1, 4, 4, 4],
      1,
      "same",
    )
  );
});

Deno.test("pooling takes windows of one pixel, and integers", async () => {
  await onBoth(() => {
    const x = numbers([2, 4, 5, 3]) as tf.Tensor4D;
    return [
      tf.maxPool(x, 1, 2, "same"),
      tf.avgPool(x, 1, 2, "same"),
      tf.maxPool(x, [1, 1], 1, 0),
      tf.maxPool(x.mul(9).toInt() as tf.Tensor4D, 2, 2, "valid"),
    ];
  });
});

Deno.test("a depthwise convolution of images with channels first is refused with what is taken", async () => {
  await wasm.load({});
  const x = tf.ones([1, 2, 5, 5]) as tf.Tensor4D, filter = tf.ones([3, 3, 2, 2]) as tf.Tensor4D;
  assert.throws(() => tf.tidy(() => tf.depthwiseConv2d(x, filter, 1, "same", "NCHW")), /channels/);
  tf.dispose([x, filter]);
});
