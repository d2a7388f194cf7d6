import assert from "node:assert/strict";
import { accumulateGradient, gradientOf, setGradient, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { onEachBackend } from "./on_each_backend.ts";

onEachBackend("gradients add up, survive scopes, and are freed by zeroGradients", () => {
  const v = tf.tidy(() => tf.variable(tf.zeros([2])));
  assert.equal(gradientOf(v), undefined);
  withScope(() => accumulateGradient(v, tf.tensor1d([1, 2])));
  withScope(() => accumulateGradient(v, tf.tensor1d([10, 20])));
  assert.deepEqual([...gradientOf(v)!.dataSync()], [11, 22]);
  withScope(() => setGradient(v, tf.tensor1d([5, 6])));
  assert.deepEqual([...gradientOf(v)!.dataSync()], [5, 6]);
  zeroGradients([v]);
  assert.equal(gradientOf(v), undefined);
  v.dispose();
});

onEachBackend("a gradient of another shape is refused, with both shapes", () => {
  const v = tf.tidy(() => tf.variable(tf.zeros([2])));
  withScope(() => assert.throws(() => setGradient(v, tf.zeros([3])), /must have its shape \[2\], but has \[3\]/));
  v.dispose();
});
