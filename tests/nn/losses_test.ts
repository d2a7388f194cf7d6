import assert from "node:assert/strict";
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  type CrossEntropyOptions,
  l1Loss,
  mseLoss,
  nllLoss,
} from "../../runtime/nn/functional.ts";
import { backwardOf } from "../../runtime/tensor/tape.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import recorded from "../fixtures/nn/losses.json" with { type: "json" };
import { assertClose, onEachBackend } from "../tensor/on_each_backend.ts";

/** Compares a loss and its gradient with what PyTorch recorded. */
function compare(
  x: number[][],
  loss: (x: tf.Tensor) => tf.Tensor,
  expected: { name: string; value: number[]; gradient: number[] },
  upstream?: number[],
): void {
  withScope(() => {
    const variable = tf.variable(tf.tensor2d(x));
    let value: number[] = [];
    const { gradients } = backwardOf(() => {
      const losses = loss(variable);
      value = [...losses.dataSync()];
      return upstream ? losses.mul(upstream).sum() : losses;
    }, [variable]);
    assertClose(value, expected.value, 2e-6);
    assertClose(gradients.get(variable)!.dataSync(), expected.gradient, 2e-6);
    gradients.get(variable)!.dispose();
    variable.dispose();
  });
}

onEachBackend("crossEntropy and its gradient equal PyTorch's, for ids and probabilities, smoothed and weighted", () => {
  assert.equal(recorded.crossEntropy.length, 24);
  for (const each of recorded.crossEntropy) {
    const labels = each.labels === "ids" ? tf.tensor1d(recorded.labels, "int32") : tf.tensor2d(recorded.probabilities);
    const options = {
      reduction: each.reduction as CrossEntropyOptions["reduction"],
      labelSmoothing: each.labelSmoothing,
      classWeights: each.weighted ? recorded.classWeights : undefined,
    };
    const upstream = each.reduction === "none" ? recorded.upstream : undefined;
    compare(recorded.logits, (x) => crossEntropy(x, labels, options), each, upstream);
    labels.dispose();
  }
});

onEachBackend("the other losses and their gradients equal PyTorch's", () => {
  const losses = { mseLoss, l1Loss, binaryCrossEntropyWithLogits };
  const y = tf.tensor2d(recorded.y), labels = tf.tensor1d(recorded.labels, "int32");
  for (const each of recorded.others) {
    const reduction = each.reduction as "mean" | "sum";
    compare(recorded.x, (x) => losses[each.name as keyof typeof losses](x, y, { reduction }), each);
  }
  for (const each of recorded.nll) {
    const reduction = each.reduction as "mean" | "sum";
    compare(recorded.logProbabilities, (x) => nllLoss(x, labels, { reduction }), each);
  }
  tf.dispose([y, labels]);
});

onEachBackend("logits of 1e4 give a finite loss and gradient", () => {
  withScope(() => {
    const variable = tf.variable(tf.tensor2d([[1e4, -1e4], [-1e4, 1e4]]));
    const { loss, gradients } = backwardOf(() => crossEntropy(variable, tf.tensor1d([0, 0], "int32")), [variable]);
    assertClose(loss.dataSync(), [1e4]);
    assertClose(gradients.get(variable)!.dataSync(), [0, 0, -0.5, 0.5]);
    gradients.get(variable)!.dispose();
    variable.dispose();
  });
});

onEachBackend("shapes and options that do not fit are refused", () => {
  withScope(() => {
    const logits = tf.zeros([2, 3]), ids = tf.tensor1d([0, 1], "int32");
    assert.throws(() => crossEntropy(logits, tf.tensor1d([0, 1])), /class ids of dtype int32, but got float32/);
    assert.throws(() => crossEntropy(logits, tf.zeros([2, 4])), /logits of shape \[2,3\] and labels of shape \[2,4\]/);
    assert.throws(() => crossEntropy(tf.zeros([2]), ids), /needs float32 logits of shape \[batch, classes\]/);
    assert.throws(
      () => crossEntropy(logits, ids, { labelSmoothing: 2 }),
      /`labelSmoothing` must be a number from 0 to 1, but got 2/,
    );
    assert.throws(
      () => crossEntropy(logits, ids, { classWeights: [1] }),
      /one weight for each of the 3 classes, but has 1/,
    );
    assert.throws(
      () => crossEntropy(logits, ids, { reduction: "average" as "mean" }),
      /`reduction` must be "mean", "sum" or "none", but got average/,
    );
    assert.throws(() => crossEntropy(logits, ids, { smoothing: 1 } as CrossEntropyOptions), /no option `smoothing`/);
    assert.throws(() => mseLoss(logits, tf.zeros([2, 1])), /same shape, but got \[2,3\] and \[2,1\]/);
    assert.throws(() => nllLoss(logits, tf.zeros([2, 3])), /class ids of shape \[batch\]/);
  });
});
