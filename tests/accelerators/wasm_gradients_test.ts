import assert from "node:assert/strict";
import { wasm } from "../../runtime/accelerators/wasm.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { assertClose, valuesOn } from "./on_both.ts";
import { GRADIENT_CASES, type GradientCase } from "./tensorflow/gradient_cases.ts";

await wasm.load({});

/** Values that are the same on every run, and no two of which are equal: a maximum has one place. */
function valuesOf(shape: number[], [low, high]: [number, number]): Float32Array<ArrayBuffer> {
  const size = tf.util.sizeFromShape(shape);
  return Float32Array.from(
    { length: size },
    (_, i) => low + (high - low) * (((i + 1) * 0.6180339887 + size * 0.01) % 1),
  );
}

/** The value of a case and its gradients. */
function evaluate({ shapes, range = [-2, 2], valueOnly, f }: GradientCase): tf.Tensor[] {
  const args = shapes.map((shape) => tf.tensor(valuesOf(shape, range), shape));
  // Weighted, so that a gradient that lands in the wrong place is seen.
  const loss = (...xs: tf.Tensor[]) => {
    const y = f(...xs);
    return y.mul(tf.range(1, y.size + 1).div(y.size).reshape(y.shape)).sum();
  };
  return [f(...args), ...valueOnly ? [] : tf.grads(loss as never)(args)];
}

for (const one of GRADIENT_CASES) {
  const what = one.valueOnly ? "the value" : "the value and the gradients";
  Deno.test(`on wasm, ${one.name} has ${what} of tfjs's cpu backend`, async () => {
    const [expected, actual] = [
      await valuesOn("cpu", () => evaluate(one)),
      await valuesOn("wasm", () => evaluate(one)),
    ];
    assert.equal(actual.length, expected.length);
    for (const [i, { shape, values }] of actual.entries()) {
      // Not the type: floorDiv of floats is a float in TensorFlow and on wasm, and an integer on the cpu backend.
      assert.deepEqual(shape, expected[i].shape);
      assertClose(values, expected[i].values, 1e-4);
    }
  });
}
