import assert from "node:assert/strict";
import { hold, release, TensorScope, withScope } from "../../runtime/tensor/scope.ts";
import { backward, beginTape, isRecording } from "../../runtime/tensor/tape.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { onEachBackend } from "./on_each_backend.ts";

onEachBackend("a scope over an await frees what was made in it, except variables and kept tensors", async () => {
  const scope = TensorScope.open("step");
  const x = tf.ones([2]), variable = tf.variable(x), kept = tf.keep(tf.zeros([2]));
  await x.add(1).data();
  const tidied = tf.tidy(() => x.mul(2).add(1));
  scope.close();
  assert.deepEqual([x, tidied, variable, kept].map((t) => t.isDisposed), [true, true, false, false]);
  assert.deepEqual([...await variable.data()], [1, 1]);
  assert.equal(scope.isOpen, false);
  scope.close();
  variable.dispose();
  kept.dispose();
});

onEachBackend("scopes nest, and `using` closes them when something throws", () => {
  assert.throws(() => {
    using _outer = TensorScope.open("outer");
    const a = tf.ones([1]);
    {
      using _inner = TensorScope.open("inner");
      tf.ones([1]);
    }
    assert.equal(a.isDisposed, false);
    throw new Error("mine");
  }, /mine/);
});

onEachBackend("two scopes that take turns, as two loaders zipped, free everything", () => {
  let a = TensorScope.open("a"), b = TensorScope.open("b");
  const before = tf.memory().numTensors;
  for (let step = 0; step < 5; step++) {
    a.close();
    a = TensorScope.open("a");
    const fromA = tf.ones([1]);
    b.close();
    assert.equal(fromA.isDisposed, false, "closing the other scope does not free it");
    b = TensorScope.open("b");
    tf.tidy(() => fromA.add(tf.ones([1])));
    assert.ok(tf.memory().numTensors <= before + 2);
  }
  a.close();
  b.close();
});

onEachBackend("hold keeps a tensor beyond its scope until it is released as often", () => {
  const scope = TensorScope.open("step");
  const late = hold(hold(tf.ones([1]))), early = hold(tf.ones([1]));
  release(early);
  assert.equal(early.isDisposed, false, "its scope is still open");
  scope.close();
  assert.equal(early.isDisposed, true);
  release(late);
  assert.equal(late.isDisposed, false);
  release(late);
  assert.equal(late.isDisposed, true);
  release(late);
});

onEachBackend("releasing what no scope owns leaves it to its maker", () => {
  const own = tf.ones([1]), kept = tf.keep(tf.ones([1]));
  release(hold(own));
  withScope(() => release(hold(kept)));
  assert.deepEqual([own.isDisposed, kept.isDisposed], [false, false]);
  own.dispose();
  kept.dispose();
});

onEachBackend("closing a scope discards a tape that was begun in it, and says so to a late backward", () => {
  const w = tf.tidy(() => tf.variable(tf.scalar(2)));
  const scope = TensorScope.open("step");
  beginTape();
  const loss = tf.keep(w.square());
  scope.close();
  assert.equal(isRecording(), false);
  assert.throws(() => backward(loss, [w]), /recording of this loss was discarded/);
  loss.dispose();
  w.dispose();
});

onEachBackend("a tape that was begun before a scope outlives it", () => {
  const w = tf.tidy(() => tf.variable(tf.scalar(2)));
  beginTape();
  withScope(() => w.square());
  assert.equal(isRecording(), true);
  const loss = w.square();
  const gradients = backward(loss, [w]);
  gradients.get(w)!.dispose();
  loss.dispose();
  w.dispose();
});

onEachBackend("withScope closes when an async function settles, also by an error", async () => {
  assert.equal(
    await withScope(async () => {
      const x = tf.ones([2]);
      return (await x.sum().data())[0];
    }),
    2,
  );
  await assert.rejects(
    withScope(async () => {
      await tf.ones([2]).data();
      throw new Error("mine");
    }),
    /mine/,
  );
});
