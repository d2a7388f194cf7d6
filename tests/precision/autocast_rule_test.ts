import assert from "node:assert/strict";
import { autocastRule } from "../../runtime/precision/autocast_rule.ts";

Deno.test("products of matrices and convolutions, and their gradients, compute in half precision and give float32", () => {
  for (const op of ["MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative"]) {
    assert.deepEqual(autocastRule(op, ["float32", "float32"], "bfloat16"), {
      inputs: ["bfloat16", "bfloat16"],
      compute: "bfloat16",
      output: "float32",
    });
  }
  // A shape among the inputs stays what it is.
  assert.deepEqual(autocastRule("Conv2DBackpropFilter", ["float32", "int32", "float32"], "float16"), {
    inputs: ["float16", undefined, "float16"],
    compute: "float16",
    output: "float32",
  });
});

Deno.test("everything else stays in float32, and so do products of other types", () => {
  for (const op of ["AddV2", "Softmax", "Sum", "FusedBatchNormV3", "SparseSoftmaxCrossEntropyWithLogits", "Cast"]) {
    assert.equal(autocastRule(op, ["float32", "float32"], "bfloat16"), undefined);
  }
  for (const type of ["float64", "int32", "complex64", "bfloat16"]) {
    assert.equal(autocastRule("MatMul", [type, type], "float16"), undefined);
  }
  assert.equal(autocastRule("Conv2DBackpropInput", ["int32", "float64", "float32"], "float16"), undefined);
});
