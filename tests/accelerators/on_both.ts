import assert from "node:assert/strict";
import { wasm } from "../../runtime/accelerators/wasm.ts";
import { tf } from "../../runtime/tensor/tf.ts";

/** Runs `compute` on tfjs's plain JavaScript backend and on wasm, and asserts equal shapes, types and (nearly) equal values. */
export async function onBoth(compute: () => tf.Tensor | tf.Tensor[], options: { tolerance?: number } = {}) {
  const { tolerance = 1e-4 } = options;
  await wasm.load({});
  const [expected, actual] = [await valuesOn("cpu", compute), await valuesOn("wasm", compute)];
  assert.equal(actual.length, expected.length);
  for (const [i, { shape, dtype, values }] of actual.entries()) {
    assert.deepEqual({ shape, dtype }, { shape: expected[i].shape, dtype: expected[i].dtype });
    assertClose(values, expected[i].values, tolerance);
  }
}

/** Runs `compute` on a backend; fails if it leaves tensors behind. The wasm backend is the current one afterwards. */
export async function valuesOn(backend: string, compute: () => tf.Tensor | tf.Tensor[]) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors, ids = tf.engine().backend.numDataIds();
  try {
    return tf.tidy(() =>
      [compute()].flat().map((t) => ({ shape: t.shape, dtype: t.dtype, values: [...t.dataSync()] as number[] }))
    );
  } finally {
    assert.equal(tf.memory().numTensors, before, `tensors left on ${backend}`);
    assert.equal(tf.engine().backend.numDataIds(), ids, `data left on ${backend}`);
    await tf.setBackend("wasm");
  }
}

/** Asserts that all values agree within `tolerance`, absolute below 1 and relative above. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) {
    const far = Math.abs(actual[i] - expected[i]) > tolerance * Math.max(1, Math.abs(expected[i]));
    if (far || Number.isNaN(actual[i]) !== Number.isNaN(expected[i])) {
      assert.fail(`value ${i} is ${actual[i]}, expected ${expected[i]}`);
    }
  }
}

/** The same pseudo-random numbers between -1 and 1 every time, for a shape. */
export function numbers(shape: number[], seed = 1): tf.Tensor {
  let state = seed * 2654435761 >>> 0;
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tf.tensor(values, shape);
}
