import assert from "node:assert/strict";
import { asModule, LayersModule } from "../../runtime/nn/layers_module.ts";
import { Module } from "../../runtime/nn/module.ts";
import { toHost } from "../../runtime/tensor/read.ts";
import { accumulateGradient, gradientOf } from "../../runtime/tensor/gradients.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { onEachBackend } from "../tensor/on_each_backend.ts";

function ones(shape: number[], trainable = true): tf.Variable {
  return tf.tidy(() => tf.variable(tf.ones(shape), trainable));
}

function mlp(): tf.Sequential {
  return tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [4], units: 3, activation: "relu" }),
      tf.layers.batchNormalization(),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: 2, name: "head" }),
    ],
  });
}

class Inner extends Module {
  weight = ones([2]);
}

class Net extends Module {
  net = mlp();
  extra = [ones([1]), { deep: ones([2, 2], false) }];
  inner = new Inner();
  /** The same variable under a second name. */
  tied = this.inner.weight;
  #hidden = ones([7]);
  other = new Date();
  loop: unknown = this;
  get surprise(): tf.Variable {
    throw new Error("getters are not invoked");
  }
  freeHidden() {
    this.#hidden.dispose();
  }
  override forward(x: tf.Tensor): tf.Tensor {
    return this.run(this.net, x);
  }
}

onEachBackend("parameters and buffers are found in fields, arrays, records, layers and submodules, each once", () => {
  const net = new Net();
  assert.deepEqual([...net.namedParameters()].map(([name, v]) => `${name} [${v.shape}]`), [
    "net.0.kernel [4,3]",
    "net.0.bias [3]",
    "net.1.gamma [3]",
    "net.1.beta [3]",
    "net.head.kernel [3,2]",
    "net.head.bias [2]",
    "extra.0 [1]",
    "inner.weight [2]",
  ]);
  assert.deepEqual([...net.namedBuffers().keys()], ["net.1.moving_mean", "net.1.moving_variance", "extra.1.deep"]);
  assert.deepEqual([...net.namedModules().keys()], ["", "inner"]);
  net.freeHidden();
  net.dispose();
});

onEachBackend("names do not depend on how many models were made before", () => {
  const first = asModule(mlp()), second = asModule(mlp());
  assert.ok(first instanceof LayersModule);
  assert.deepEqual([...first.namedParameters().keys()], [...second.namedParameters().keys()]);
  assert.deepEqual([...first.namedParameters().keys()].slice(0, 2), ["0.kernel", "0.bias"]);
  first.dispose();
  second.dispose();
});

onEachBackend("recurrent, bidirectional, nested and functional models are walked", () => {
  const bidirectional = tf.layers.bidirectional({
    layer: tf.layers.lstm({ units: 2 }) as tf.RNN,
    mergeMode: "concat",
    inputShape: [5, 3],
  });
  const nested = tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 2 })] });
  const input = tf.input({ shape: [4] });
  const functional = tf.model({ inputs: input, outputs: nested.apply(input) as tf.SymbolicTensor });
  const rnn = asModule(tf.sequential({ layers: [bidirectional] })), outer = asModule(functional);
  assert.deepEqual([...rnn.namedParameters().keys()], [
    "0.forward.cell.kernel",
    "0.forward.cell.recurrent_kernel",
    "0.forward.cell.bias",
    "0.backward.cell.kernel",
    "0.backward.cell.recurrent_kernel",
    "0.backward.cell.bias",
  ]);
  assert.equal(rnn.parameters().length, (rnn as LayersModule).model.weights.length);
  assert.deepEqual([...outer.namedParameters().keys()], ["0.0.kernel", "0.0.bias"]);
  rnn.dispose();
  outer.dispose();
});

onEachBackend("train and eval reach submodules, and decide whether dropout drops", () => {
  const net = new Net();
  const x = tf.randomNormal([64, 4]);
  assert.equal(net.training, true);
  const once = net.forward(x), twice = net.forward(x);
  assert.notDeepEqual(once.arraySync(), twice.arraySync());
  assert.equal(net.eval(), net);
  assert.deepEqual([net.training, net.inner.training], [false, false]);
  const [a, b] = [net.call(x), net.call(x)];
  assert.deepEqual(a.arraySync(), b.arraySync());
  net.train();
  assert.equal(net.inner.training, true);
  assert.throws(() => net.train(1 as unknown as boolean), /train takes true or false, but got 1/);
  tf.dispose([x, once, twice, a, b]);
  net.freeHidden();
  net.dispose();
});

onEachBackend(
  "freeze moves parameters to the buffers, drops their gradients, and unfreeze brings exactly them back",
  () => {
    const net = new Net();
    const before = [...net.namedParameters().keys()];
    accumulateGradient(net.inner.weight, tf.ones([2]));
    net.freeze();
    assert.equal(net.parameters().length, 0);
    assert.equal(gradientOf(net.inner.weight), undefined);
    assert.equal(net.net.trainableWeights.length, 0, "tfjs sees it as well");
    net.unfreeze();
    assert.deepEqual([...net.namedParameters().keys()], before);
    net.inner.freeze();
    assert.equal(net.namedParameters().has("inner.weight"), false);
    net.freeHidden();
    net.dispose();
  },
);

onEachBackend("a state dict of tensors or host tensors is loaded in place", async () => {
  const source = new Net(), target = new Net();
  const state = source.stateDict();
  assert.deepEqual(Object.keys(state).length, 11);
  const variable = target.namedParameters().get("net.0.kernel")!;
  target.loadStateDict(state);
  assert.equal(target.namedParameters().get("net.0.kernel"), variable);
  assert.deepEqual(variable.arraySync(), (state["net.0.kernel"] as tf.Tensor).arraySync());
  const host = await toHost(variable);
  (host.data as Float32Array).fill(5);
  target.loadStateDict({ "net.0.kernel": host }, { strict: false });
  assert.equal(variable.dataSync()[3], 5);
  assert.notEqual((state["net.0.kernel"] as tf.Tensor).dataSync()[3], 5);
  for (const net of [source, target]) {
    net.freeHidden();
    net.dispose();
  }
});

onEachBackend("a state that does not fit changes nothing, and the error lists every difference", () => {
  const net = new Inner();
  const wrong = { weight: tf.zeros([3]), unknown: tf.zeros([1]) };
  assert.throws(
    () => net.loadStateDict(wrong),
    (error: Error) =>
      /does not fit Inner/.test(error.message) && /unexpected: unknown/.test(error.message) &&
      /weight has shape \[3\] in the state but \[2\] in the model/.test(error.message),
  );
  assert.throws(() => net.loadStateDict({}), /missing: weight/);
  assert.throws(() => net.loadStateDict({ weight: 3 }), /weight is not a tensor/);
  net.loadStateDict({}, { strict: false });
  assert.deepEqual([...net.weight.dataSync()], [1, 1]);
  tf.dispose(wrong);
  net.dispose();
});

onEachBackend("a layer that does not know its input's shape says how to tell it", () => {
  class Lone extends Module {
    activation = tf.layers.activation({ activation: "relu" });
    lone = tf.layers.dense({ units: 2 });
  }
  const net = new Lone();
  assert.throws(() => net.parameters(), /`lone` \(Dense\) has no weights yet.*inputShape/);
  net.lone.build([null, 3]);
  assert.deepEqual([...net.namedParameters().keys()], ["lone.kernel", "lone.bias"]);
  net.dispose();
});

onEachBackend(
  "two layers with the same name in one model, a missing forward and a thing that is no model are errors",
  () => {
    class Twice extends Module {
      "a.b" = ones([1]);
      a = { b: ones([1]) };
    }
    const twice = new Twice();
    assert.throws(() => twice.parameters(), /Two variables of Twice are named `a\.b`/);
    tf.dispose([twice["a.b"], twice.a.b]);
    assert.throws(() => new Module().forward(), /`Module` has no `forward` method/);
    assert.throws(() => asModule({} as Module), /A model is a tfjs layers model.*but got Object/);
  },
);
