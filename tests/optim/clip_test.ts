import assert from "node:assert/strict";
import { clipGradientsByNorm, clipGradientsByValue } from "../../runtime/optim/clip.ts";
import { gradientOf, setGradient, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import recorded from "../fixtures/optim/clip.json" with { type: "json" };
import { assertClose, onEachBackend } from "../tensor/on_each_backend.ts";

/** Variables with the recorded gradients, and one without. */
function withGradients(): tf.Variable[] {
  return withScope(() => {
    const variables = recorded.shapes.map((shape) => tf.variable(tf.zeros(shape)));
    variables.forEach((v, i) => setGradient(v, tf.tensor(recorded.gradients[i], v.shape)));
    return [...variables, tf.variable(tf.zeros([2]))];
  });
}

function free(variables: tf.Variable[]): void {
  zeroGradients(variables);
  tf.dispose(variables);
}

onEachBackend("clipping by norm gives PyTorch's norms and gradients", async () => {
  for (const { maxNorm, normType, norm, gradients } of recorded.byNorm) {
    const variables = withGradients();
    const before = await clipGradientsByNorm(variables, {
      maxNorm,
      normType: Number(normType === "inf" ? Infinity : normType),
    });
    assertClose([before], [norm]);
    gradients.forEach((expected, i) => assertClose(gradientOf(variables[i])!.dataSync(), expected));
    assert.equal(gradientOf(variables[3]), undefined);
    free(variables);
  }
});

onEachBackend("clipping by value gives PyTorch's gradients", () => {
  for (const { clipValue, gradients } of recorded.byValue) {
    const variables = withGradients();
    clipGradientsByValue(variables, clipValue);
    gradients.forEach((expected, i) => assertClose(gradientOf(variables[i])!.dataSync(), expected));
    free(variables);
  }
});

onEachBackend("a norm that is not finite is an error if asked for, and then changes nothing", async () => {
  const variables = withGradients();
  withScope(() => setGradient(variables[2], tf.tensor1d([NaN])));
  const first = [...gradientOf(variables[0])!.dataSync()];
  await assert.rejects(
    clipGradientsByNorm(variables, { maxNorm: 1, errorIfNonfinite: true }),
    /norm of the gradients is NaN.*errorIfNonfinite: false/,
  );
  assert.deepEqual([...gradientOf(variables[0])!.dataSync()], first);
  assert.equal(Number.isNaN(await clipGradientsByNorm(variables, { maxNorm: 1 })), true);
  assert.equal(gradientOf(variables[0])!.dataSync().every(Number.isNaN), true);
  free(variables);
});

onEachBackend("options out of range are refused; without gradients the norm is 0", async () => {
  const variables = withGradients();
  await assert.rejects(
    clipGradientsByNorm(variables, { maxNorm: -1 }),
    /`maxNorm` must be a number from 0, but got -1/,
  );
  await assert.rejects(
    clipGradientsByNorm(variables, { maxNorm: 1, normType: 0 }),
    /`normType` must be a number from 1/,
  );
  assert.throws(() => clipGradientsByValue(variables, NaN), /`clipValue` must be a number from 0, but got NaN/);
  zeroGradients(variables);
  assert.equal(await clipGradientsByNorm(variables, { maxNorm: 1 }), 0);
  free(variables);
});
