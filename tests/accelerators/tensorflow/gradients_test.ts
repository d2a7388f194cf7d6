import assert from "node:assert/strict";
import { loadedBinding, tensorflowCpu } from "../../../runtime/accelerators/tensorflow/accelerator.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { GRADIENT_CASES, type GradientCase } from "./gradient_cases.ts";
import { tensorflowLibrary, tensorflowTest } from "./only_with_tensorflow.ts";

if (tensorflowLibrary) await tensorflowCpu.load({});

/** Values that are the same on every run, and no two of which are equal: a maximum has one place. */
function valuesOf(shape: number[], [low, high]: [number, number]): Float32Array<ArrayBuffer> {
  const size = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from(
    { length: size },
    (_, i) => low + (high - low) * (((i + 1) * 0.6180339887 + size * 0.01) % 1),
  );
}

/** The value and the gradients of a case on the backend that is set. */
function evaluate({ shapes, range = [-2, 2], valueOnly, f }: GradientCase): Float32Array[] {
  return tf.tidy(() => {
    const args = shapes.map((shape) => tf.tensor(valuesOf(shape, range), shape));
    // Weighted, so that a gradient that lands in the wrong place is seen.
    const loss = (...xs: typeof args) => {
      const y = f(...xs);
      return y.mul(tf.range(1, y.size + 1).div(y.size).reshape(y.shape)).sum();
    };
    const gradients = valueOnly ? [] : tf.grads(loss as never)(args);
    return [f(...args), ...gradients].map((tensor) => tensor.dataSync() as Float32Array);
  });
}

for (const one of GRADIENT_CASES) {
  const what = one.valueOnly ? "the value" : "the value and the gradients";
  tensorflowTest(`${one.name} has ${what} of tfjs's cpu backend`, () => {
    const before = [tf.memory().numTensors, loadedBinding()!.getNumOfTensors()];
    const got = evaluate(one);
    assert.deepEqual([tf.memory().numTensors, loadedBinding()!.getNumOfTensors()], before, "tensors are left behind");
    tf.setBackend("cpu");
    let expected: Float32Array[];
    try {
      expected = evaluate(one);
    } finally {
      tf.setBackend("tensorflow");
    }
    for (const [i, values] of expected.entries()) {
      assert.equal(got[i].length, values.length);
      for (const [j, value] of values.entries()) {
        const place = i === 0 ? `value ${j}` : `gradient ${j} of argument ${i}`;
        const tolerance = 1e-5 + 1e-4 * Math.abs(value);
        assert.ok(
          Math.abs(got[i][j] - value) <= tolerance,
          `${place} is ${got[i][j]}, and on the cpu backend ${value}`,
        );
      }
    }
  });
}

tensorflowTest("an average at the edge is of the cells that there are, and so is its gradient", () => {
  // tfjs's cpu backend divides the gradient by the cells of the whole window there, so this is compared with what it should be.
  const values = tf.tidy(() => {
    const x = tf.ones([1, 3, 3, 1]) as tf.Tensor4D;
    return tf.grad((x) => tf.avgPool(x as tf.Tensor4D, 2, 2, "same").sum())(x).dataSync();
  });
  assert.deepEqual([...values], [1 / 4, 1 / 4, 1 / 2, 1 / 4, 1 / 4, 1 / 2, 1 / 2, 1 / 2, 1]);
});
