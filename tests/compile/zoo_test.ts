import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { assertClose, train } from "./train.ts";
import { zoo } from "./zoo.ts";

for (const [name, zooCase] of Object.entries(zoo)) {
  tensorflowTest(`${name}: 50 compiled steps compute what 50 steps op by op do`, async () => {
    const plain = await train(zooCase, { compile: false });
    assert.ok(plain.losses.every(Number.isFinite), `${plain.losses}`);
    for (const compile of ["graph", "xla"] as const) {
      const compiled = await train(zooCase, { compile });
      assert.match(compiled.messages.join("\n"), /^`step` was recorded \(\d+ ops\) and runs (as a graph|by XLA)$/);
      assertClose(compiled.losses, plain.losses, 1e-5, `losses with ${compile}`);
      if (zooCase.weights) {
        for (const [i, weights] of compiled.weights.entries()) {
          assertClose(weights, plain.weights[i], 1e-5, `weights ${i} with ${compile}`);
        }
      }
      assert.equal(compiled.tensors[1], compiled.tensors[0], "the number of tensors grows");
    }
  });
}
