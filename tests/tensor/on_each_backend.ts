import assert from "node:assert/strict";
import { wasm } from "../../runtime/accelerators/wasm.ts";
import { engineState } from "../../runtime/tensor/engine.ts";
import { tf } from "../../runtime/tensor/tf.ts";

/** Registers a test for tfjs's cpu backend and one for wasm. Both must leave as many tensors, scopes and tapes as there were. */
export function onEachBackend(name: string, body: () => void | Promise<void>): void {
  for (const backend of ["cpu", "wasm"] as const) {
    Deno.test(`${name} (${backend})`, async () => {
      if (backend === "wasm") await wasm.load({});
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      await body();
      const { scopeStack, gradientDepth } = engineState();
      assert.equal(tf.memory().numTensors, before, "tensors were left");
      assert.deepEqual({ scopes: scopeStack.length, gradientDepth }, { scopes: 0, gradientDepth: 0 });
    });
  }
}

/** Compares numbers within a tolerance, relative to the larger of 1 and the expected number. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const allowed = tolerance * Math.max(1, Math.abs(expected[i]));
    // NaN is close to nothing.
    if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
      assert.fail(`value ${i} is ${actual[i]}, but expected ${expected[i]} ± ${allowed}`);
    }
  }
}
