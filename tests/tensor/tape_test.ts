import assert from "node:assert/strict";
import { backward, backwardOf, beginTape, discardTape, isRecording, noGrad } from "../../runtime/tensor/tape.ts";
import { TensorScope, withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { assertClose, onEachBackend } from "./on_each_backend.ts";

function variables(...shapes: number[][]): tf.Variable[] {
  return shapes.map((shape, i) => tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 1, "float32", 100 + i))));
}

function free(...things: (tf.Tensor | Iterable<tf.Tensor>)[]): void {
  for (const thing of things) {
    if (thing instanceof tf.Tensor) thing.dispose();
    else for (const tensor of thing) tensor.dispose();
  }
}

onEachBackend("backward after an eager forward pass equals tfjs's own gradients, over an await", async () => {
  const [w, b] = variables([4, 3], [3]);
  const scope = TensorScope.open("step");
  const x = tf.randomNormal([5, 4], 0, 1, "float32", 1);
  const y = tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1], "int32"), 3);
  const expected = tf.variableGrads(() => tf.losses.softmaxCrossEntropy(y, x.matMul(w).add(b)) as tf.Scalar).grads;
  beginTape();
  const hidden = x.matMul(w);
  await hidden.data();
  const loss = tf.losses.softmaxCrossEntropy(y, hidden.add(b)) as tf.Tensor;
  const gradients = backward(loss, [w, b]);
  assert.equal(isRecording(), false);
  for (const variable of [w, b]) {
    assertClose(gradients.get(variable)!.dataSync(), expected[variable.name].dataSync());
  }
  scope.close();
  assert.equal(gradients.get(w)!.isDisposed, false, "the gradients survive the scope");
  free(gradients.values(), [w, b]);
});

onEachBackend(
  "a convolutional network with batch normalisation and dropout gets the gradients of tf.variableGrads",
  () => {
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 3, kernelSize: 3, activation: "relu" }),
        tf.layers.maxPooling2d({ poolSize: 2 }),
        tf.layers.batchNormalization(),
        tf.layers.flatten(),
        tf.layers.dropout({ rate: 0.5, seed: 3 }),
        tf.layers.dense({ units: 2 }),
      ],
    });
    const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    withScope(() => {
      const x = tf.randomNormal([4, 8, 8, 1], 0, 1, "float32", 9);
      const forward = () => (model.apply(x, { training: true }) as tf.Tensor).square().mean() as tf.Scalar;
      const { grads } = tf.variableGrads(forward, trainable);
      const { loss, gradients } = backwardOf(forward, trainable);
      assert.equal(loss.shape.length, 0);
      assert.equal(gradients.size, trainable.length);
      for (const [variable, gradient] of gradients) assertClose(gradient.dataSync(), grads[variable.name].dataSync());
      free(gradients.values());
    });
    model.dispose();
  },
);

onEachBackend(
  "a variable used twice gets the sum, and its gradient is reported once it is final, last layers first",
  () => {
    const [shared, last] = variables([3, 3], [3, 1]);
    withScope(() => {
      const x = tf.randomNormal([2, 3], 0, 1, "float32", 4);
      const forward = () => x.matMul(shared).relu().matMul(shared).matMul(last).sum() as tf.Scalar;
      const { grads } = tf.variableGrads(forward);
      const order: [tf.Variable, number[]][] = [];
      const { gradients } = backwardOf(forward, [shared, last], {
        onGradient: (variable, gradient) => order.push([variable, [...gradient.dataSync()]]),
      });
      assert.deepEqual(order.map(([variable]) => variable), [last, shared]);
      for (const [variable, values] of order) assertClose(values, grads[variable.name].dataSync());
      free(gradients.values());
    });
    free(shared, last);
  },
);

onEachBackend("a variable that the loss does not depend on is absent", () => {
  const [used, unused] = variables([2], [2]);
  const { loss, gradients } = backwardOf(() => used.square().sum(), [used, unused]);
  assert.deepEqual([...gradients.keys()], [used]);
  free(loss, gradients.values(), used, unused);
});

onEachBackend("backward frees what the tape saved, and does not record itself", () => {
  const [w] = variables([10, 10]);
  const x = tf.ones([3, 10]);
  const before = tf.memory().numTensors;
  const scope = TensorScope.open("step");
  beginTape();
  const loss = x.matMul(w).tanh().sum();
  const kernels: string[] = [];
  const engine = tf.engine() as unknown as { runKernel: (name: string, ...rest: unknown[]) => tf.Tensor };
  const original = engine.runKernel;
  engine.runKernel = function (name, ...rest) {
    kernels.push(name);
    return original.call(this, name, ...rest);
  };
  const gradients = backward(loss, [w]);
  engine.runKernel = original;
  scope.close();
  assert.equal(tf.memory().numTensors, before + 1);
  assert.ok(kernels.length > 0 && kernels.length < 15, `backward ran ${kernels.join()}`);
  free(gradients.values(), w, x);
});

onEachBackend("with retainTape two losses of one forward pass can each go backward", () => {
  const [w] = variables([3]);
  withScope(() => {
    beginTape();
    const hidden = w.square();
    const [sum, max] = [hidden.sum(), hidden.mul(2).sum()];
    const first = backward(sum, [w], { retainTape: true });
    assert.equal(isRecording(), true);
    const second = backward(max, [w]);
    assertClose(second.get(w)!.dataSync(), first.get(w)!.mul(2).dataSync());
    free(first.values(), second.values());
  });
  free(w);
});

onEachBackend("a second backward without retainTape says what to pass", () => {
  const [w] = variables([3]);
  withScope(() => {
    beginTape();
    const hidden = w.square(), sum = hidden.sum(), mean = hidden.mean();
    free(backward(sum, [w]).values());
    assert.throws(() => backward(mean, [w]), /Another backward has used the recording.*retainTape: true/);
    assert.throws(() => backward(sum, [w]), /retainTape: true/);
  });
  free(w);
});

onEachBackend("a loss that was not recorded, not a number, or independent of the variables is refused", () => {
  const [w, other] = variables([3], [3]);
  withScope(() => {
    const unrecorded = w.sum();
    assert.throws(() => backward(unrecorded, [w]), /were not recorded: call the model that fabric.setup returned/);
    beginTape();
    assert.throws(() => backward(unrecorded, [w]), /were not recorded/);
    assert.throws(
      () => backward(w.square(), [w]),
      (error: Error) => error instanceof TypeError && /one number, but got a tensor of shape \[3\]/.test(error.message),
    );
    assert.throws(() => backward(w.sum(), [other]), /depends on none of the variables: are they all frozen/);
    assert.throws(() => backward(3 as unknown as tf.Tensor, [w]), /needs the loss as a tensor, but got number/);
    discardTape();
  });
  free(w, other);
});

onEachBackend("an operation without a gradient between the variables and the loss is named", () => {
  const [w] = variables([3]);
  withScope(() => {
    assert.throws(() => backwardOf(() => tf.topk(w, 1).values.sum(), [w]), /operation TopK has no gradient/);
    assert.equal(isRecording(), false);
  });
  free(w);
});

onEachBackend("a closure that throws or returns a promise leaves no tape and no tensors", () => {
  const [w] = variables([3]);
  assert.throws(() =>
    backwardOf(() => {
      w.square();
      throw new RangeError("mine");
    }, [w]), RangeError);
  assert.throws(
    () => backwardOf((() => Promise.resolve(w)) as unknown as () => tf.Tensor, [w]),
    /The closure given to backward returned a promise/,
  );
  assert.equal(isRecording(), false);
  free(w);
});

onEachBackend("noGrad leaves out what it runs, sync and async, and survives tf.grads inside", async () => {
  const [w] = variables([3]);
  const scope = TensorScope.open("step");
  beginTape();
  const hidden = w.square();
  const constant = noGrad(() => {
    const [inner] = tf.grads((x: tf.Tensor) => x.square().sum())([w]);
    assert.equal(isRecording(), false);
    return inner.sum();
  });
  const later = await noGrad(async () => {
    const tensor = w.mul(5);
    await tensor.data();
    return tensor;
  });
  assert.throws(() =>
    noGrad(() => {
      throw new Error("mine");
    }), /mine/);
  const gradients = backward(hidden.sum().add(constant).add(later.sum()), [w]);
  assertClose(gradients.get(w)!.dataSync(), w.mul(2).dataSync());
  scope.close();
  free(gradients.values(), w);
});

onEachBackend("a custom gradient that hands on its input or what it saved is freed once", () => {
  const [w] = variables([3]);
  withScope(() => {
    const passOn = tf.customGrad((x) => ({ value: (x as tf.Tensor).clone(), gradFunc: (dy: tf.Tensor) => dy }));
    const saved = tf.customGrad((x, save) => {
      (save as (tensors: tf.Tensor[]) => void)([x as tf.Tensor]);
      return { value: (x as tf.Tensor).square(), gradFunc: (_dy: tf.Tensor, [s]: tf.Tensor[]) => s };
    });
    const { gradients } = backwardOf(() => saved(passOn(w)).sum(), [w]);
    assertClose(gradients.get(w)!.dataSync(), w.dataSync());
    free(gradients.values());
  });
  free(w);
});
