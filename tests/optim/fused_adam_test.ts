import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import wabt from "npm:wabt@1.0.39";
import { wasm } from "../../runtime/accelerators/wasm.ts";
import { asModule } from "../../runtime/nn/layers_module.ts";
import { crossEntropy } from "../../runtime/nn/functional.ts";
import { AdamW } from "../../runtime/optim/adam_w.ts";
import { ADAM_BYTES } from "../../runtime/optim/fused/adam_bytes.ts";
import { fusedAdam } from "../../runtime/optim/fused/fused_adam.ts";
import { asOptimizer } from "../../runtime/optim/optimizer.ts";
import { accumulateGradient, setGradient, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { backwardOf } from "../../runtime/tensor/tape.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { assertClose, onEachBackend } from "../tensor/on_each_backend.ts";

/** Trains a small network on numbers that are the same everywhere; its losses and final weights. */
function train(): { losses: number[]; weights: number[][] } {
  const layer = (units: number, seed: number, inputShape?: number[]) =>
    tf.layers.dense({ units, inputShape, kernelInitializer: tf.initializers.glorotUniform({ seed }) });
  const model = asModule(tf.sequential({ layers: [layer(33, 1, [17]), tf.layers.reLU(), layer(5, 2)] }));
  const optimizer = asOptimizer(new AdamW({ learningRate: 0.01, weightDecay: 0.1 }), {
    named: model.namedParameters(),
  });
  const losses: number[] = [];
  for (let step = 0; step < 40; step++) {
    withScope(() => {
      const x = tf.randomNormal([20, 17], 0, 1, "float32", 3),
        y = tf.tensor1d(Array.from({ length: 20 }, (_, i) => i % 5), "int32");
      const { loss } = backwardOf(() => crossEntropy(model.forward(x), y), model.parameters(), {
        onGradient: accumulateGradient,
      });
      losses.push(loss.dataSync()[0]);
      optimizer.step();
      optimizer.zeroGrad();
    });
  }
  const weights = model.parameters().map((variable) => [...variable.dataSync()]);
  model.dispose();
  optimizer.dispose();
  return { losses, weights };
}

Deno.test("training with the fused step on wasm follows the one of single operations on cpu", async () => {
  await tf.setBackend("cpu");
  const single = train();
  await wasm.load({});
  await tf.setBackend("wasm");
  const fused = train();
  assert.ok(single.losses[39] < 0.5 * single.losses[0], `${single.losses}`);
  assertClose(fused.losses, single.losses, 1e-4);
  single.weights.forEach((values, i) => assertClose(fused.weights[i], values, 1e-3));
});

onEachBackend("a copy that was taken before a step keeps its values, of the parameter and of the moments", () => {
  const v = tf.tidy(() => tf.variable(tf.ones([5])));
  const optimizer = asOptimizer(new AdamW({ learningRate: 0.1 }), { named: new Map([["v", v]]) });
  const step = () => {
    withScope(() => setGradient(v, tf.ones([5])));
    optimizer.step();
    zeroGradients([v]);
  };
  step();
  const state = optimizer.stateDict().state as Record<string, Record<string, tf.Tensor>>;
  const copies = [v, state.v.firstMoment, state.v.secondMoment].map((tensor) => tensor.clone());
  const before = copies.map((copy) => [...copy.dataSync()]);
  step();
  assert.deepEqual(copies.map((copy) => [...copy.dataSync()]), before);
  assert.notDeepEqual([...v.dataSync()], before[0]);
  tf.dispose([v, ...copies]);
  optimizer.dispose();
});

Deno.test("the fused step is taken on wasm, and on no other backend", async () => {
  for (const backend of ["cpu", "wasm"]) {
    if (backend === "wasm") await wasm.load({});
    await tf.setBackend(backend);
    const taken = withScope(() => {
      const tensors = {
        parameter: tf.variable(tf.ones([6])),
        gradient: tf.ones([6]),
        firstMoment: tf.variable(tf.randomUniform([6])),
        secondMoment: tf.variable(tf.randomUniform([6])),
      };
      // A variable shares its values with what it was made of until that is freed.
      tf.engine().state.activeScope.track.forEach((tensor) => tensor !== tensors.gradient && tensor.dispose());
      const done = tf.tidy(() =>
        fusedAdam(tensors, { beta1: 0.9, beta2: 0.99, rate: 0.1, eps: 1e-8, keep: 1, l2: 0 }) ? 1 : 0
      );
      tf.dispose([tensors.parameter, tensors.firstMoment, tensors.secondMoment]);
      return done;
    });
    assert.equal(taken, backend === "wasm" ? 1 : 0);
  }
});

Deno.test("the bytes in adam_bytes.ts are those of adam.wat", async () => {
  const { parseWat } = await wabt();
  const source = await Deno.readTextFile(new URL("../../runtime/optim/fused/adam.wat", import.meta.url));
  const module = parseWat("adam.wat", source, { simd: true });
  const bytes = Buffer.from(module.toBinary({}).buffer).toString("base64");
  module.destroy();
  assert.ok(bytes === ADAM_BYTES, "run: deno run -A runtime/optim/fused/build.ts");
});
